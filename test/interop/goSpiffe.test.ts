import { type ChildProcess, spawn } from 'node:child_process';
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { agentFolder, testAgent, type TestAgentProcess } from '../fakes/testAgent.ts';
import { serverFolder, testServer, type TestServer } from '../fakes/testServer.ts';
import { peerFile } from './peers/table.ts';
import { without } from './run.ts';

const ME = `spiffe://example.org/local/user/${userInfo().username}`;
const MINUTE = 60_000;

/** go-spiffe, as workloads use it, against the real agent and server in this process. */
describe.skipIf(without('spiffepeer'))('go-spiffe', () => {
  const folders = [serverFolder(), agentFolder()] as const;
  let server: TestServer;
  let agent: TestAgentProcess;
  const running: ChildProcess[] = [];

  beforeAll(async () => {
    server = await testServer(folders[0].path);
    agent = await testAgent(folders[1].path, server);
  });
  afterEach(() => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
  });
  afterAll(async () => {
    await agent.stop();
    await server.stop();
    for (const folder of folders) folder.remove();
  });

  interface Line {
    readonly event: string;
    readonly [name: string]: unknown;
  }
  interface Peer {
    line(): Promise<Line>;
    readonly exit: Promise<number | null>;
  }

  /** Not runPeer: agent and server are in this process, which must not block. */
  function peer(...args: string[]): Peer {
    const child = spawn(peerFile('spiffepeer'), [args[0]!, '--socket', agent.workloadSocket, ...args.slice(1)], { stdio: ['ignore', 'pipe', 'inherit'] });
    running.push(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
    return {
      exit,
      async line() {
        const { value, done } = await lines.next();
        if (done === true) throw new Error('the peer has said everything');
        return JSON.parse(value) as Line;
      },
    };
  }

  test('X509Source has its SVID and bundle, and finds them in order', async () => {
    const source = peer('x509');
    const line = await source.line();
    expect(line).toMatchObject({ event: 'svid', spiffeId: ME, hint: 'person', authorities: server.roots.map(toBase64) });
    console.log(`go-spiffe X509Source: first SVID after ${Number(line['elapsedUs']) / 1000} ms`);
    expect(await source.exit).toBe(0);
  });

  test('two workloads talk by mutual TLS, and a peer that is not the expected one is refused', async () => {
    const listening = peer('mtls-server', '--count', '2', '--authorize', ME);
    const address = String((await listening.line())['address']);
    const client = peer('mtls-client', '--address', address, '--authorize', ME, '--message', 'built here');
    expect(await client.line()).toMatchObject({ event: 'answered', peer: ME, line: 'built here' });
    expect(await listening.line()).toMatchObject({ event: 'served', peer: ME });
    const choosy = peer('mtls-client', '--address', address, '--authorize', 'spiffe://example.org/local/user/nobody-else');
    expect(await choosy.line()).toMatchObject({ event: 'error', message: expect.stringContaining('unexpected ID') });
    expect(await listening.line()).toMatchObject({ event: 'refused' });
    expect(await listening.exit).toBe(0);
  });

  test('a JWT-SVID is fetched and holds for the library and for the agent', async () => {
    const fetched = await peer('jwt', '--audience', 'peer', '--spiffe-id', ME).line();
    expect(fetched).toMatchObject({ event: 'jwt', spiffeId: ME, audience: ['peer'], hint: 'person' });
    const token = String(fetched['token']);
    expect(await peer('jwt-validate', '--token', token, '--audience', 'peer').line()).toMatchObject({ local: true, remote: true });
    const bad = JSON.stringify(await peer('jwt-validate', '--token', token, '--audience', 'somebody-else').line());
    expect(bad).toContain('JWT_AUDIENCE');
  });

  test('a token of our own that has expired is refused by the agent', async () => {
    const now = server.clock.now();
    const token = await server.mint({ sub: ME, aud: ['peer'], iat: now - 10 * MINUTE, exp: now - 5 * MINUTE });
    expect(JSON.stringify(await peer('jwt-validate', '--token', token, '--audience', 'peer').line())).toContain('JWT_EXPIRED');
  });

  test('bundles of both kinds are watched', async () => {
    const watch = peer('bundles', '--count', '1');
    const lines = [await watch.line(), await watch.line()].toSorted((a, b) => a.event.localeCompare(b.event));
    expect(lines[0]).toMatchObject({ event: 'jwt-bundles', bundles: { 'example.org': [expect.any(String)] } });
    expect(lines[1]).toMatchObject({ event: 'x509-bundles', bundles: { 'example.org': server.roots.map(toBase64) } });
    expect(await watch.exit).toBe(0);
  });

  test('a workload that starts while the server is away waits, and starts when it is back', async () => {
    const port = Number(server.grpcAddress.split(':')[1]);
    await agent.stop();
    await server.stop();
    agent = await testAgent(folders[1].path, server, { joinToken: undefined, trustBundle: undefined });
    const waiting = peer('x509');
    const line = waiting.line();
    server = await testServer(folders[0].path, { grpcPort: port });
    expect(await line).toMatchObject({ event: 'svid', spiffeId: ME });
    expect(await waiting.exit).toBe(0);
  });

  test('rotation is pushed on the open stream: half of the life later there is another certificate, without an error between', async () => {
    const watch = peer('rotation', '--count', '2');
    const first = await watch.line();
    expect(first).toMatchObject({ event: 'update', svids: [{ spiffeId: ME }] });
    for (const clock of new Set([agent.clock, server.clock])) clock.move(35 * MINUTE);
    const second = await watch.line();
    expect(second).toMatchObject({ event: 'update', svids: [{ spiffeId: ME }] });
    const serial = (line: Line): string => (line['svids'] as { serial: string }[])[0]!.serial;
    expect(serial(second)).not.toBe(serial(first));
    expect(await watch.exit).toBe(0);
  });
});
