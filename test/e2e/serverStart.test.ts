import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { describeError } from '../../src/base/errors.ts';
import { systemClock, systemRng } from '../../src/keys/system.ts';
import type { ServerOptions } from '../../src/server/options.ts';
import { type RunningServer, startServer } from '../../src/server/serve.ts';
import { codeOf, serverFolder, SILENT, testServer } from '../fakes/testServer.ts';

const folders: { remove: () => void }[] = [];
const newFolder = (): string => {
  const folder = serverFolder();
  folders.push(folder);
  return folder.path;
};
afterAll(() => {
  for (const folder of folders) folder.remove();
});

/** a data folder that one start has made, to be copied */
let made: string;
let running: RunningServer | undefined;
beforeAll(async () => {
  made = newFolder();
  await (await start(made)).stop();
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const copy = (): string => {
  const data = newFolder();
  cpSync(made, data, { recursive: true });
  return data;
};
async function start(data: string, over: Partial<ServerOptions> = {}): Promise<RunningServer> {
  return (running = await startServer({ data, host: '127.0.0.1', httpPort: 0, grpcPort: 0, ...over }, { clock: systemClock, rng: systemRng, version: '0.0.0', log: SILENT }));
}
/** What a refused start says: its code, and that it names the thing. */
async function refusal(data: string, named: string, over: Partial<ServerOptions> = {}): Promise<string> {
  const starting = start(data, over);
  await expect(starting.catch(describeError)).resolves.toContain(named);
  return codeOf(starting);
}

describe('the first start', () => {
  test('makes the trust domain, private files only, and says so', async () => {
    const data = join(newFolder(), 'new', 'data');
    const server = await start(data);
    expect(server).toMatchObject({ created: true, trustDomain: 'example.org', issuer: 'https://example.org', keysFolder: join(data, 'keys'), adminSocket: join(data, 'admin.sock') });
    expect(statSync(data).mode & 0o777).toBe(0o700);
    const open = readdirSync(join(data, 'keys')).filter((name) => name.endsWith('.key')).map((name) => statSync(join(data, 'keys', name)).mode & 0o777);
    expect(open).toEqual(Array(7).fill(0o600));
    expect([join(data, 'stepseal.db'), server.adminSocket].map((path) => statSync(path).mode & 0o777)).toEqual([0o600, 0o600]);
  });

  test('takes trust domain and issuer that were asked for', async () => {
    const server = await start(newFolder(), { trustDomain: 'build.example.com', issuer: 'https://id.example.com/builds' });
    expect(server).toMatchObject({ trustDomain: 'build.example.com', issuer: 'https://id.example.com/builds' });
  });

  test.each([
    ['TRUST_DOMAIN_INVALID', 'Not_A_Domain!', { trustDomain: 'Not_A_Domain!' }],
    ['TRUST_DOMAIN_NOT_CONSTRAINABLE', '1.2.3.4', { trustDomain: '1.2.3.4' }],
    ['USAGE', 'https://x.example/', { issuer: 'https://x.example/' }],
    ['USAGE', 'ftp://x.example', { issuer: 'ftp://x.example' }],
    ['USAGE', 'https://x.example?a', { issuer: 'https://x.example?a' }],
    ['USAGE', 'HTTPS://x.example', { issuer: 'HTTPS://x.example' }],
  ])('refuses, with %s, the name %s, and makes no key', async (code, name, over) => {
    const data = newFolder();
    expect(await refusal(data, name, over)).toBe(code);
    expect(readdirSync(data).includes('keys')).toBe(false);
  });
});

describe('the second start', () => {
  test('finds what the first made: the same keys, certificates, origins and entries', async () => {
    const data = newFolder();
    const first = await testServer(data);
    const trust = await first.admin.getTrust({});
    await first.adminSeal.seal({ items: [{ name: 'a', what: { case: 'sha256', value: '0'.repeat(64) } }] });
    await first.stop();
    const second = await testServer(data);
    expect(second.created).toBe(false);
    const again = await second.admin.getTrust({});
    expect([again.trustedRoot, again.spiffeBundle].map(String)).toEqual([trust.trustedRoot, trust.spiffeBundle].map(String));
    expect(await second.admin.getStatus({})).toMatchObject({ logSize: 1n, ctSize: 1n });
    await second.stop();
  });

  test('needs no name, and takes the one it has', async () => {
    const data = newFolder();
    await (await start(data, { trustDomain: 'build.example.com' })).stop();
    expect(await start(data)).toMatchObject({ created: false, trustDomain: 'build.example.com', issuer: 'https://build.example.com' });
  });

  test('refuses another trust domain and another issuer', async () => {
    const data = copy();
    expect(await refusal(data, 'other.example', { trustDomain: 'other.example' })).toBe('CONFIG_CHANGED');
    expect(await refusal(data, 'https://other.example', { issuer: 'https://other.example' })).toBe('CONFIG_CHANGED');
    await start(data, { trustDomain: 'example.org', issuer: 'https://example.org' });
  });

  test.each(['identity-root.key', 'signing-intermediate.crt', 'log.key', 'authorities.json'])('refuses a folder without %s, which it does not make anew', async (file) => {
    const data = copy();
    rmSync(join(data, 'keys', file));
    expect(await refusal(data, join(data, 'keys', file))).toBe('KEY_MISSING');
    expect(readdirSync(join(data, 'keys'))).not.toContain(file);
  });

  test.each(['jwt.key', 'ct-log.key', 'signing-root.key'])('refuses another key in %s', async (file) => {
    const [data, foreign] = [copy(), newFolder()];
    await (await start(foreign)).stop();
    cpSync(join(foreign, 'keys', file), join(data, 'keys', file));
    expect(await refusal(data, join(data, 'keys', file))).toBe('KEY_FOREIGN');
  });

  test('refuses a key that others may read, and one that is none', async () => {
    const data = copy();
    const file = join(data, 'keys', 'jwt.key');
    chmodSync(file, 0o644);
    expect(await refusal(data, file)).toBe('KEY_PERMISSIONS');
    chmodSync(file, 0o600);
    writeFileSync(file, 'secret text');
    expect(await refusal(data, file)).toBe('KEY_INVALID');
  });

  test('refuses keys and logs without their database', async () => {
    const data = copy();
    for (const name of readdirSync(data)) if (name.startsWith('stepseal.db')) rmSync(join(data, name));
    expect(await refusal(data, join(data, 'stepseal.db'))).toBe('STORE_MISSING');
    expect(await refusal(data, join(data, 'stepseal.db'))).toBe('STORE_MISSING');
  });

  test('refuses a log that is one byte short, names its file, and starts again with that byte', async () => {
    const data = newFolder();
    const first = await testServer(data);
    await first.adminSeal.seal({ items: [{ name: 'a', what: { case: 'sha256', value: '0'.repeat(64) } }] });
    await first.stop();
    for (const log of ['tlog', 'ct']) {
      const folder = join(data, 'logs', log, 'staging');
      const file = join(folder, readdirSync(folder)[0]!);
      const whole = readFileSync(file);
      truncateSync(file, whole.length - 1);
      expect(await refusal(data, file)).toBe('LOG_CORRUPT');
      // it changed nothing: the next one finds the same
      expect(await refusal(data, file)).toBe('LOG_CORRUPT');
      writeFileSync(file, whole);
    }
    const again = await testServer(data);
    expect(await again.admin.getStatus({})).toMatchObject({ logSize: 1n, ctSize: 1n });
    await again.stop();
  });

  test('refuses all the keys missing at once', async () => {
    const data = copy();
    rmSync(join(data, 'keys'), { recursive: true });
    expect(await refusal(data, join(data, 'keys'))).toBe('KEY_MISSING');
  });
});

describe('a start beside something else', () => {
  test('on the same data folder is refused, and the first goes on', async () => {
    const data = copy();
    const first = await start(data);
    expect(await refusal(data, data)).toBe('FOLDER_LOCKED');
    expect((await fetch(`${first.httpUrl}/healthz`)).status).toBe(200);
    await first.stop();
  });

  test('on a taken port is refused with the option that chooses another, and leaves the folder free', async () => {
    const data = copy();
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    expect(await refusal(data, '--http-port', { httpPort: port })).toBe('PORT_TAKEN');
    expect(await refusal(data, '--grpc-port', { grpcPort: port })).toBe('PORT_TAKEN');
    expect(await refusal(data, `${port}`, { grpcPort: port })).toBe('PORT_TAKEN');
    await start(data);
    taken.close();
  });

  test('with an admin socket whose path is too long, taken or in use is refused', async () => {
    const data = copy();
    const deep = join(data, 'd'.repeat(100), 'admin.sock');
    expect(await refusal(data, deep, { adminSocket: deep })).toBe('SOCKET_PATH_TOO_LONG');
    const file = join(data, 'file');
    writeFileSync(file, '');
    expect(await refusal(data, file, { adminSocket: file })).toBe('SOCKET_PATH_TAKEN');
    const other = await start(copy());
    expect(await refusal(data, other.adminSocket, { adminSocket: other.adminSocket })).toBe('SOCKET_IN_USE');
    await other.stop();
  });

  test('in a place that is no folder is refused', async () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    expect(await refusal(file, file)).toBe('STORE_FAILED');
  });
});

type Child = ChildProcessByStdio<null, Readable, Readable>;

describe('the process', () => {
  const NODE = join(import.meta.dirname, '../../node_modules/.bin/node');
  const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
  const launch = (data: string, ...args: string[]): Child =>
    spawn(NODE, [MAIN, 'server', '--data', data, '--http-port', '0', '--grpc-port', '0', '--log-level', 'silent', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ready = async (child: Child): Promise<RunningServer> => (JSON.parse(String((await once(child.stdout, 'data'))[0])) as { ready: RunningServer }).ready;

  test('stops within five seconds of SIGTERM, with calls in flight, and starts again', async () => {
    const data = newFolder();
    const child = launch(data, '--json');
    const { httpUrl, grpcAddress, created } = await ready(child);
    expect(created).toBe(true);
    const [host, port] = grpcAddress.split(':') as [string, string];
    const held = [connect(Number(port), host), connect(Number(new URL(httpUrl).port), '127.0.0.1')];
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    // a request whose body never comes
    held[1]!.write('POST /api/v2/signingCert HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n');
    for (const socket of held) socket.on('error', () => undefined);
    const began = performance.now();
    child.kill('SIGTERM');
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([code, signal]).toEqual([0, null]);
    expect(performance.now() - began).toBeLessThan(5_000);
    for (const socket of held) socket.destroy();
    const again = launch(data, '--json');
    expect(await ready(again)).toMatchObject({ created: false });
    again.kill('SIGINT');
    expect(await once(again, 'exit')).toEqual([0, null]);
  });

  test('says in words what the first start made and where, and exits 1 with a code on stderr when it cannot', async () => {
    const data = newFolder();
    const child = launch(data, '--trust-domain', 'build.example.com');
    const [text] = (await once(child.stdout, 'data')) as [Buffer];
    expect(String(text)).toContain(`created trust domain build.example.com; its keys are plain PKCS#8 files, mode 0600, in ${join(data, 'keys')}`);
    const second = launch(data);
    const [why] = (await once(second.stderr, 'data')) as [Buffer];
    expect(String(why)).toContain('FOLDER_LOCKED');
    expect(String(why)).toContain(`${child.pid}`);
    expect(await once(second, 'exit')).toEqual([1, null]);
    child.kill('SIGTERM');
    await once(child, 'exit');
    // a private key is nowhere in what was printed
    expect(String(text)).not.toContain(readFileSync(join(data, 'keys', 'jwt.key'), 'utf8').split('\n')[1]);
  });

  test('leaves a folder that a kill took it from', async () => {
    const data = newFolder();
    const child = launch(data, '--json');
    await ready(child);
    child.kill('SIGKILL');
    await once(child, 'exit');
    mkdirSync(data, { recursive: true });
    await start(data);
  });
});
