import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StepsealError } from '../../../src/base/errors.ts';
import { createApp, type HttpApp } from '../../../src/http/app.ts';
import { readBody, readJson } from '../../../src/http/body.ts';
import { serveHttpTcp, serveHttpUnix, type HttpListener } from '../../../src/http/listen.ts';

let folder: string;
let faults: unknown[];
let ended: (() => unknown)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepseal-http-'));
  faults = [];
  ended = [() => rmSync(folder, { recursive: true })];
});

afterEach(async () => {
  for (const end of ended.reverse()) await end();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function call(socketPath: string, method: string, path: string, body?: string | readonly string[], headers: Record<string, string> = { 'content-type': 'application/json' }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, method, headers: body === undefined ? {} : headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
    });
    outgoing.on('error', reject);
    if (typeof body === 'string') outgoing.end(body);
    else {
      for (const part of body ?? []) outgoing.write(part);
      outgoing.end();
    }
  });
}

async function unix(build: (app: HttpApp<number>) => void): Promise<{ path: string; listener: HttpListener }> {
  const app = createApp<number>((error) => faults.push(error));
  build(app);
  let number = 0;
  const path = join(folder, 's');
  const listener = await serveHttpUnix(app, { path, mode: 0o666, admit: () => ++number, onRefused: (error) => faults.push(error) });
  ended.push(() => listener.stop(0));
  return { path, listener };
}

describe('HTTP on a Unix socket', () => {
  it('tells a request which connection it came over, and has the mode asked for', async () => {
    const { path } = await unix((app) => app.get('/', (context) => context.text(`${context.env.peer}`)));
    expect([await call(path, 'GET', '/'), await call(path, 'GET', '/')].map(({ body }) => body)).toEqual(['1', '2']);
    expect(statSync(path).mode & 0o777).toBe(0o666);
  });

  it('closes a connection that is not admitted', async () => {
    const app = createApp<number>(() => undefined);
    const path = join(folder, 's');
    const listener = await serveHttpUnix<number>(app, {
      path, mode: 0o600, onRefused: (error) => faults.push(error),
      admit: () => {
        throw new StepsealError('PEER_UNKNOWN', 'not you');
      },
    });
    ended.push(() => listener.stop(0));
    await expect(call(path, 'GET', '/')).rejects.toThrow();
    expect(faults[0]).toMatchObject({ code: 'PEER_UNKNOWN' });
  });

  it('answers errors as JSON with the status of their kind, and INTERNAL for what is thrown otherwise', async () => {
    const { path } = await unix((app) => {
      app.get('/known', () => {
        throw new StepsealError('PEER_UNKNOWN', 'no', { expected: 'yes' });
      });
      app.get('/fault', () => {
        throw new Error('the secret is 42');
      });
    });
    const known = await call(path, 'GET', '/known');
    expect([known.status, JSON.parse(known.body)]).toEqual([403, { error: { code: 'PEER_UNKNOWN', message: 'no', expected: 'yes' } }]);
    const fault = await call(path, 'GET', '/fault');
    expect([fault.status, JSON.parse(fault.body)]).toEqual([500, { error: { code: 'INTERNAL', message: 'internal error' } }]);
    expect(String(faults[0])).toContain('42');
    expect((await call(path, 'GET', '/none')).status).toBe(404);
    expect(JSON.parse((await call(path, 'DELETE', '/known')).body)).toMatchObject({ error: { code: 'HTTP_NOT_FOUND' } });
  });

  it('reads strict JSON bodies up to the limit', async () => {
    const { path } = await unix((app) => app.post('/', async (context) => context.json((await readJson(context, 20)).value)));
    const codeOf = async (...args: [body?: string | readonly string[], headers?: Record<string, string>]): Promise<string> => {
      const { status, body } = await call(path, 'POST', '/', ...args);
      return `${status} ${(JSON.parse(body) as { error?: { code: string } }).error?.code ?? body}`;
    };
    expect(await codeOf('{"a":1}')).toBe('200 {"a":1}');
    expect(await codeOf(['{"a":', '1}'])).toBe('200 {"a":1}');
    expect(await codeOf('{"a":1,"a":2}')).toBe('400 JSON_DUPLICATE_KEY');
    expect(await codeOf('')).toBe('400 JSON_INVALID');
    expect(await codeOf('{}', { 'content-type': 'text/plain' })).toBe('400 HTTP_CONTENT_TYPE');
    expect(await codeOf('{}', { 'content-type': 'application/json; charset=utf-8' })).toBe('200 {}');
    expect(await codeOf('x'.repeat(21))).toBe('413 BODY_TOO_LARGE');
    expect(await codeOf(['x'.repeat(10), 'x'.repeat(11)])).toBe('413 BODY_TOO_LARGE');
    expect(await codeOf('{"a":"123456789012"}')).toBe('200 {"a":"123456789012"}');
  });

  it('notices a body that breaks off', async () => {
    const seen = Promise.withResolvers<unknown>();
    const { path } = await unix((app) => app.post('/', async (context) => {
      await readBody(context, 100).catch(seen.resolve);
      return context.text('');
    }));
    const socket = connect(path);
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\nhalf', () => setTimeout(() => socket.destroy(), 20));
    expect(await seen.promise).toMatchObject({ code: 'HTTP_BODY' });
  });

  it('stops within the grace, letting a running request end', async () => {
    const { path, listener } = await unix((app) => {
      app.get('/soon', async (context) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        return context.text('done');
      });
      app.get('/never', () => new Promise(() => undefined));
    });
    const soon = call(path, 'GET', '/soon');
    const never = call(path, 'GET', '/never').catch(() => 'cut');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await listener.stop(200);
    expect((await soon).body).toBe('done');
    expect(await never).toBe('cut');
  });
});

describe('HTTP on a TCP port', () => {
  it('serves, and says PORT_TAKEN for a port in use', async () => {
    const app = createApp((error) => faults.push(error));
    app.get('/', (context) => context.text('here'));
    const listener = await serveHttpTcp(app, { host: '127.0.0.1', port: 0 });
    ended.push(() => listener.stop(0));
    expect(await (await fetch(`http://127.0.0.1:${listener.port}/`)).text()).toBe('here');
    await expect(serveHttpTcp(app, { host: '127.0.0.1', port: listener.port })).rejects.toMatchObject({ code: 'PORT_TAKEN' });
  });
});
