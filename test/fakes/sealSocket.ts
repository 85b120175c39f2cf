import { createServer, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';

interface Answer {
  readonly status?: number;
  readonly body: unknown;
}

interface Call {
  readonly path: string;
  readonly contentType: string | undefined;
  readonly body: unknown;
}

/** The agent's seal socket (docs/formats.md) with answers of the test's choice; keeps what it was asked. */
export async function fakeSealSocket(path: string, answer: (call: Call) => Answer): Promise<{ readonly calls: Call[]; readonly close: () => Promise<void> }> {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    void read(request).then((call) => {
      calls.push(call);
      const { status = 200, body } = answer(call);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((ready) => server.listen(path, ready));
  return { calls, close: () => new Promise((done) => server.close(() => done())) };
}

async function read(request: IncomingMessage): Promise<Call> {
  return { path: request.url ?? '', contentType: request.headers['content-type'], body: await json(request) };
}
