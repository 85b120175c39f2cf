// A program that calls the agent and takes the time of it: node benchCallerProcess.ts CONTROL NAME. It connects to the
// Unix socket CONTROL, says its NAME on one line, then does what the lines there say and answers each with a line.
// Its clients are raw node:http and node:http2, so that what is measured is the agent and not a client that warms up.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';

export type BenchOrder =
  /** connect, one gRPC call, its first message: `count` times, each on a new connection unless `kept` */
  | { readonly grpc: string; readonly socket: string; readonly messages: readonly string[]; readonly kept?: boolean }
  /** POST of each body, each on a new connection */
  | { readonly post: string; readonly socket: string; readonly bodies: readonly string[] };

export interface BenchAnswer {
  /** ms, one of each call */
  readonly times: readonly number[];
  /** of the last call: base64 of the message, or of the HTTP body */
  readonly last: string;
}

async function callGrpc(session: ReturnType<typeof connectHttp2>, path: string, message: Buffer): Promise<Buffer> {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', 'workload.spiffe.io': 'true' });
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  stream.end(frame);
  let got: Buffer = Buffer.alloc(0);
  let trailers: unknown;
  stream.once('trailers', (headers) => (trailers = headers)).once('response', (headers) => (trailers = headers));
  for await (const chunk of stream) {
    got = Buffer.concat([got, chunk as Buffer]);
    if (got.length >= 5 && got.length >= 5 + got.readUInt32BE(1)) return got.subarray(5);
  }
  throw new Error(`${path}: no message: ${JSON.stringify(trailers)}`);
}

async function grpc(socket: string, path: string, messages: readonly string[], kept: boolean): Promise<BenchAnswer> {
  const times: number[] = [];
  let last: Buffer = Buffer.alloc(0);
  let session: ReturnType<typeof connectHttp2> | undefined;
  for (const message of messages) {
    const body = Buffer.from(message, 'base64');
    const began = performance.now();
    if (session === undefined || !kept) {
      session?.destroy();
      session = connectHttp2('http://localhost', { createConnection: () => connect(socket) });
    }
    last = await callGrpc(session, path, body);
    times.push(performance.now() - began);
  }
  session?.destroy();
  return { times, last: last.toString('base64') };
}

async function post(socketPath: string, path: string, bodies: readonly string[]): Promise<BenchAnswer> {
  const times: number[] = [];
  let last: Buffer = Buffer.alloc(0);
  for (const body of bodies) {
    const began = performance.now();
    const call = request({ socketPath, path, method: 'POST', agent: false, headers: { 'content-type': 'application/json' } }).end(body);
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    last = await buffer(response);
    times.push(performance.now() - began);
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${last.toString()}`);
  }
  return { times, last: last.toString('base64') };
}

const [control, name] = process.argv.slice(2);
const channel = connect(control!);
channel.once('close', () => process.exit(0)).write(`${JSON.stringify({ name })}\n`);
for await (const line of createInterface({ input: channel })) {
  const order = JSON.parse(line) as BenchOrder;
  const answer = await ('grpc' in order ? grpc(order.socket, order.grpc, order.messages, order.kept ?? false) : post(order.socket, order.post, order.bodies)).catch((error: unknown) => ({ error: String(error) }));
  channel.write(`${JSON.stringify(answer)}\n`);
}
