import { once } from 'node:events';
import { chmodSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectServer } from '../../src/agent/connect.ts';
import { readState } from '../../src/agent/state.ts';
import { Node } from '../../src/rpc/gen/stepseal/node_pb.js';
import { createRpcServer } from '../../src/rpc/server.ts';
import { serveTls } from '../../src/rpc/tls.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { addressOf, agentFolder, bundleOf, eventually, testAgent, type AgentStart, type TestAgentProcess } from '../fakes/testAgent.ts';
import { codeOf, serverFolder, testServer, type TestServer } from '../fakes/testServer.ts';

const ME = `spiffe://example.org/local/user/${userInfo().username}`;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let folders: { path: string; remove(): void }[];
let server: TestServer;
const agents: TestAgentProcess[] = [];

beforeEach(async () => {
  folders = [serverFolder(), agentFolder()];
  server = await testServer(folders[0]!.path);
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
  await server.stop();
  for (const folder of folders) folder.remove();
});

const data = (): string => folders[1]!.path;
const start = async (over: AgentStart = {}): Promise<TestAgentProcess> => {
  const agent = await testAgent(data(), server, over);
  agents.push(agent);
  return agent;
};
const startAgain = (over: AgentStart = {}): Promise<TestAgentProcess> => start({ joinToken: undefined, trustBundle: undefined, ...over });
const stop = async (agent: TestAgentProcess): Promise<void> => {
  agents.splice(agents.indexOf(agent), 1);
  await agent.stop();
};
const reached = (agent: TestAgentProcess, state = 'serving'): Promise<void> => eventually(async () => (await agent.health('stepseal.server')) === state);
/** The same folder and port, with the clock of the first. */
const restartServer = async (): Promise<void> => {
  server = await testServer(folders[0]!.path, { grpcPort: addressOf(server).port });
};
const myClock = (): { now(): number; move(by: number): void } => {
  let ahead = 0;
  return { now: () => Date.now() + ahead, move: (by) => void (ahead += by) };
};

describe('joining', () => {
  test('leaves key and certificates in one file that only the owner reads, and the bundle', async () => {
    const agent = await start();
    expect(agent.id).toMatch(/^spiffe:\/\/example\.org\/spire\/agent\/join_token\/[0-9a-f]{32}$/);
    for (const name of ['agent.pem', 'bundle.json']) expect(statSync(join(data(), name)).mode & 0o777).toBe(0o600);
    expect((await readState(data()))!.identity.id).toBe(agent.id);
  });

  test('works once with a token', async () => {
    const joinToken = await server.joinToken();
    await stop(await start({ joinToken }));
    rmSync(join(data(), 'agent.pem'));
    expect(await codeOf(start({ joinToken }))).toBe('JOIN_TOKEN_USED');
  });

  test('needs a token and a bundle', async () => {
    expect(await codeOf(start({ joinToken: undefined }))).toBe('AGENT_JOIN_REQUIRED');
    expect(await codeOf(start({ trustBundle: undefined }))).toBe('AGENT_JOIN_REQUIRED');
    expect(await codeOf(start({ trustDomain: 'example.com' }))).toBe('TRUST_DOMAIN_CA_MISMATCH');
    expect(await codeOf(start({ trustBundle: Buffer.from('{"keys":[]}') }))).toBe('SPIFFE_BUNDLE_INVALID');
  });

  test('tells a server below other roots nothing: the token can still be used', async () => {
    const other = serverFolder();
    const stranger = await testServer(other.path);
    const joinToken = await server.joinToken();
    expect(await codeOf(start({ joinToken, trustBundle: await bundleOf(stranger) }))).toBe('SERVER_IDENTITY');
    await start({ joinToken });
    await stranger.stop();
    other.remove();
  });

  test('waits for a server that is just starting', async () => {
    const [joinToken, trustBundle] = [await server.joinToken(), await bundleOf(server)];
    await server.stop();
    const joined = start({ joinToken, trustBundle, limits: { joinWaitMs: 10_000 } });
    await restartServer();
    expect((await joined).id).toContain('/spire/agent/');
  });

  test('takes the folder for one agent', async () => {
    await start();
    expect(await codeOf(startAgain())).toBe('FOLDER_LOCKED');
  });
});

test('an agent that answers at the server\'s address is not taken for the server', async () => {
  await start();
  const { identity: stolen, trust } = (await readState(data()))!;
  const rpc = createRpcServer({ services: [], onFault: () => undefined });
  const impostor = await serveTls(rpc, { host: '127.0.0.1', port: 0, identity: stolen, admit: () => undefined, onRefused: () => undefined });
  const connection = connectServer({ host: '127.0.0.1', port: impostor.port }, undefined, trust, server.clock);
  expect(await codeOf(connection.stub(Node).identify({}))).toBe('SERVER_IDENTITY');
  connection.close();
  await Promise.all([impostor.close(), rpc.stop(0)]);
});

describe('a restarted agent', () => {
  test('goes on as the one it was, without token and bundle', async () => {
    const first = await start();
    await stop(first);
    const again = await startAgain();
    expect(again.id).toBe(first.id);
    await reached(again);
    expect((await again.client.stream('fetchX509SVID').next()).svids[0]!.spiffeId).toBe(ME);
  });

  test('serves while the server is away, and says so in health', async () => {
    await stop(await start());
    await server.stop();
    const again = await startAgain();
    expect([await again.health(''), await again.health('stepseal.server')]).toEqual(['serving', 'not serving']);
    expect(Object.keys((await again.client.stream('fetchX509Bundles').next()).bundles)).toEqual(['spiffe://example.org']);
    // the caller is held, and gets its SVID when the server comes
    const held = again.client.stream('fetchX509SVID');
    const answer = held.next();
    await restartServer();
    expect((await answer).svids[0]!.spiffeId).toBe(ME);
    held.cancel();
  });

  test('has to join anew when its SVID has expired, and may with a token', async () => {
    const first = await start();
    await stop(first);
    server.clock.move(2 * HOUR);
    expect(await codeOf(startAgain())).toBe('AGENT_JOIN_REQUIRED');
    server.clock.move(-2 * HOUR);
    const [later, joinToken] = [myClock(), await server.joinToken()];
    later.move(2 * HOUR);
    expect(await codeOf(start({ clock: later, joinToken }))).toMatch(/CHAIN_EXPIRED|SERVER_ANSWER_INVALID/);
  });

  test('joins anew with the token at hand where the server no longer knows it', async () => {
    const first = await start();
    await stop(first);
    await server.stop();
    rmSync(folders[0]!.path, { recursive: true });
    await restartServer();
    expect(await codeOf(startAgain({ trustBundle: await bundleOf(server) }))).toBe('AGENT_JOIN_REQUIRED');
    const again = await start();
    expect(again.id).not.toBe(first.id);
    await reached(again);
  });

  test.each([
    ['an empty identity', (folder: string) => truncateSync(join(folder, 'agent.pem'), 0)],
    ['an identity cut short', (folder: string) => truncateSync(join(folder, 'agent.pem'), 400)],
    ['no bundle', (folder: string) => rmSync(join(folder, 'bundle.json'))],
    ['another file as bundle', (folder: string) => writeFileSync(join(folder, 'bundle.json'), '{"keys":[]}')],
  ])('names the damaged file: %s', async (_what, damage) => {
    await stop(await start());
    damage(data());
    expect(await codeOf(startAgain())).toBe('AGENT_STATE_INVALID');
  });

  test('does not use a key that others can read', async () => {
    await stop(await start());
    chmodSync(join(data(), 'agent.pem'), 0o644);
    expect(await codeOf(startAgain())).toBe('KEY_PERMISSIONS');
  });
});

describe('while the server is away', () => {
  test('what was issued is served until it expires; then the stream ends, and the caller gets it anew when the server is back', async () => {
    const agent = await start();
    await reached(agent);
    const stream = agent.client.stream('fetchX509SVID');
    const first = (await stream.next()).svids[0]!;
    const token = (await agent.client.unary('fetchJWTSVID', { audience: ['a'] })).svids[0]!.svid;
    await server.stop();
    await reached(agent, 'not serving');

    agent.clock.move(4 * MINUTE);
    expect((await agent.client.unary('fetchJWTSVID', { audience: ['a'] })).svids[0]!.svid).toBe(token);
    agent.clock.move(2 * MINUTE);
    expect(await agent.client.unary('fetchJWTSVID', { audience: ['a'] }).catch(({ code }: { code: number }) => code)).toBe(status.UNAVAILABLE);
    agent.clock.move(40 * MINUTE);
    expect((await agent.client.stream('fetchX509SVID').next()).svids[0]).toEqual(first);
    expect([stream.waiting, await agent.health('')]).toEqual([0, 'serving']);
    agent.clock.move(20 * MINUTE);
    expect((await stream.ended).code).toBe(status.UNAVAILABLE);
    await eventually(async () => (await agent.health('')) === 'not serving');

    agent.clock.move(-50 * MINUTE);
    const held = agent.client.stream('fetchX509SVID').next();
    await restartServer();
    expect((await held).svids[0]!.spiffeId).toBe(ME);
    await reached(agent);
  });

  test('open streams stay open over a restart of the server', async () => {
    const agent = await start();
    const stream = agent.client.stream('fetchX509SVID');
    await stream.next();
    await server.stop();
    await reached(agent, 'not serving');
    await restartServer();
    await reached(agent);
    agent.clock.move(35 * MINUTE);
    server.clock.move(35 * MINUTE);
    expect((await stream.next()).svids[0]!.spiffeId).toBe(ME);
  });
});

test('a server that does not know the agent any more: health says so, callers are told to come back', async () => {
  const agent = await start({ limits: { holdMs: 100 } });
  await reached(agent);
  await server.stop();
  const db = new DatabaseSync(join(folders[0]!.path, 'stepseal.db'));
  db.exec('DELETE FROM agents');
  db.close();
  await restartServer();
  await eventually(async () => (await agent.health('')) === 'not serving');
  const { code, details } = await agent.client.stream('fetchX509SVID').ended;
  expect({ code, details }).toEqual({ code: status.UNAVAILABLE, details: expect.stringContaining('join anew') });
});

test('a server that says nothing any more is away, although its connection is open', async () => {
  const { host, port } = addressOf(server);
  const pipes: Socket[] = [];
  const proxy = createServer((inward) => {
    const outward = connect(port, host);
    pipes.push(inward, outward);
    for (const pipe of [inward, outward]) pipe.on('error', () => undefined);
    inward.pipe(outward).pipe(inward);
  }).listen(0, host);
  await once(proxy, 'listening');
  const agent = await start({ server: { host, port: (proxy.address() as AddressInfo).port }, limits: { keepaliveMs: 100 } });
  await reached(agent);
  for (const pipe of pipes) pipe.unpipe().pause();
  await reached(agent, 'not serving');
  await stop(agent);
  for (const pipe of pipes) pipe.destroy();
  proxy.close();
});

describe('its own SVID', () => {
  test('is renewed at half of its life, under the same name with another key, and used on a new connection', async () => {
    const agent = await start();
    await reached(agent);
    const before = (await readState(data()))!.identity;
    agent.clock.move(35 * MINUTE);
    await eventually(() => agent.logged.some((line) => line.startsWith('own SVID renewed')));
    const after = (await readState(data()))!.identity;
    expect(after.id).toBe(before.id);
    expect(after.key).not.toEqual(before.key);
    await reached(agent);
    // past the end of the first one
    agent.clock.move(26 * MINUTE);
    expect((await agent.client.stream('fetchX509SVID').next()).svids[0]!.spiffeId).toBe(ME);
    expect(await agent.health('')).toBe('serving');
  });

  test('that has expired cannot be renewed: health says so', async () => {
    const agent = await start();
    await server.stop();
    await reached(agent, 'not serving');
    agent.clock.move(2 * HOUR);
    await eventually(async () => (await agent.health('')) === 'not serving');
    await eventually(() => agent.logged.some((line) => line.startsWith('own SVID is not valid now')));
    expect(parseCertificate((await readState(data()))!.identity.chain[0]!).notAfter).toBeLessThan(agent.clock.now());
  });
});

describe('a clock that jumps', () => {
  test('far ahead makes everything unusable, and back everything as it was', async () => {
    const clock = myClock();
    const agent = await start({ clock, limits: { holdMs: 100 } });
    await reached(agent);
    const stream = agent.client.stream('fetchX509SVID');
    const first = (await stream.next()).svids[0]!;
    clock.move(3 * HOUR);
    expect((await stream.ended).code).toBe(status.UNAVAILABLE);
    expect((await agent.client.stream('fetchX509SVID').ended).code).toBe(status.UNAVAILABLE);
    expect(await agent.health('')).toBe('not serving');
    clock.move(-3 * HOUR);
    await eventually(async () => (await agent.health('')) === 'serving');
    expect((await agent.client.stream('fetchX509SVID').next()).svids[0]!.spiffeId).toBe(first.spiffeId);
  });

  test('back gives nothing out that is not valid yet', async () => {
    const clock = myClock();
    const agent = await start({ clock, limits: { holdMs: 100 } });
    await agent.client.stream('fetchX509SVID').next();
    clock.move(-HOUR);
    expect((await agent.client.stream('fetchX509SVID').ended).code).toBe(status.UNAVAILABLE);
  });
});

test('a stopping agent ends its streams so that clients come back: not with OK', async () => {
  const agent = await start();
  const stream = agent.client.stream('fetchX509SVID');
  await stream.next();
  agents.splice(0);
  const stopped = agent.stop();
  expect((await stream.ended).code).toBe(status.UNAVAILABLE);
  await stopped;
});
