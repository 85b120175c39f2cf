import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { toHex } from '../../src/base/hex.ts';
import { systemClock, systemRng } from '../../src/keys/system.ts';
import { Agent } from '../../src/rpc/gen/spire/api/server/agent/v1/agent_pb.js';
import { Bundle } from '../../src/rpc/gen/spire/api/server/bundle/v1/bundle_pb.js';
import { Node } from '../../src/rpc/gen/stepseal/node_pb.js';
import { issueX509Svid } from '../../src/ca/svid.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { buildCsr } from '../../src/x509/csr.ts';
import { testCa } from '../fakes/ca.ts';
import { certified } from '../fakes/publicClient.ts';
import { clientKey, codeOf, PERSON, serverFolder, type TestAgent, testServer, type TestServer } from '../fakes/testServer.ts';

const folder = serverFolder();
let server: TestServer;
let agent: TestAgent;
beforeAll(async () => {
  server = await testServer(folder.path);
  agent = await server.join();
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

const csrOf = async (key = clientKey()): Promise<Uint8Array> => buildCsr(key.spki, undefined, key.sign);

describe('an agent joins', () => {
  test('by a token, under a random name that does not hold the token, with an SVID of an hour', async () => {
    const token = await server.joinToken();
    const { id, chain } = await server.attest(token);
    expect(id).toMatch(/^spiffe:\/\/example\.org\/spire\/agent\/join_token\/[0-9a-f]{32}$/);
    expect(id).not.toContain(token);
    const leaf = parseCertificate(chain[0]!);
    expect(leaf.subjectAltName?.uris).toEqual([id]);
    expect(leaf.notAfter - server.clock.now()).toBeLessThanOrEqual(3600_000);
    expect(server.logged.join('\n')).not.toContain(token);
  });

  test('once only with each token', async () => {
    const token = await server.joinToken();
    await server.attest(token);
    expect(await codeOf(server.attest(token))).toBe('JOIN_TOKEN_USED');
  });

  test('of two that come with one token at once, one', async () => {
    const token = await server.joinToken();
    const codes = await Promise.all([codeOf(server.attest(token)), codeOf(server.attest(token))]);
    expect(codes.toSorted()).toEqual(['JOIN_TOKEN_USED', 'nothing was thrown']);
  });

  test('not with a token past its end, even when the clock goes back afterwards', async () => {
    const token = await server.joinToken();
    server.clock.move(600_000);
    expect(await codeOf(server.attest(token))).toBe('JOIN_TOKEN_EXPIRED');
    server.clock.move(-600_000);
    expect(await codeOf(server.attest(token))).toBe('JOIN_TOKEN_EXPIRED');
  });

  test('not with a token that was never made, or bytes that are no text', async () => {
    expect(await codeOf(server.attest('x'.repeat(32)))).toBe('JOIN_TOKEN_INVALID');
    expect(await codeOf(server.attest(Uint8Array.of(0xff, 0xfe)))).toBe('UTF8_INVALID');
  });

  test('not by another kind of attestation', async () => {
    expect(await codeOf(server.attest(await server.joinToken(), { type: 'x509pop' }))).toBe('ATTESTATION_INVALID');
    const stream = server.connect().stub(Agent).attestAgent();
    stream.send({ step: { case: 'challengeResponse', value: new Uint8Array(3) } });
    expect(await codeOf(stream.receive())).toBe('ATTESTATION_INVALID');
    const empty = server.connect().stub(Agent).attestAgent();
    empty.end();
    expect(await codeOf(empty.receive())).toBe('ATTESTATION_INVALID');
  });

  test('not with a request that its key has not signed; the token stays good', async () => {
    const token = await server.joinToken();
    const csr = await csrOf();
    csr[csr.length - 1]! ^= 1;
    expect(await codeOf(server.attest(token, { csr }))).toBe('CSR_INVALID');
    expect(await codeOf(server.attest(token, { csr: new Uint8Array() }))).toBe('CSR_INVALID');
    const { id } = await server.attest(token);
    expect(id).toContain('/spire/agent/');
  });

  test('with a request for another name: the name is the server\'s to give', async () => {
    const key = clientKey();
    const csr = await buildCsr(key.spki, 'spiffe://example.org/stepseal/provenance', key.sign);
    const { chain } = await server.attest(await server.joinToken(), { csr });
    expect(parseCertificate(chain[0]!).subjectAltName?.uris[0]).toMatch(/\/spire\/agent\/join_token\//);
  });

  test('the life of a token has a limit', async () => {
    expect(await codeOf(server.admin.createJoinToken({ ttlSeconds: 24 * 3600 + 1 }))).toBe('USAGE');
    const { expiresMs } = await server.admin.createJoinToken({ ttlSeconds: 60 });
    expect(Number(expiresMs) - server.clock.now()).toBeLessThanOrEqual(60_000);
  });
});

describe('an agent that has joined', () => {
  test('renews its SVID under its own name, whatever the request names', async () => {
    const key = clientKey();
    const { svid } = await agent.agent.renewAgent({ params: { csr: await buildCsr(key.spki, PERSON, key.sign) } });
    const leaf = parseCertificate(svid!.certChain[0]!);
    expect(leaf.subjectAltName?.uris).toEqual([agent.id]);
    const renewed = server.connect({ chain: svid!.certChain, key: key.pkcs8 }).stub(Node);
    expect((await renewed.identify({ who: { case: 'self', value: {} } })).identities.map(({ spiffeId }) => spiffeId)).toEqual([agent.id]);
  });

  test('does not renew with a bad request', async () => {
    expect(await codeOf(agent.agent.renewAgent({ params: { csr: Uint8Array.of(1) } }))).toBe('CSR_INVALID');
    expect(await codeOf(agent.agent.renewAgent({}))).toBe('CSR_INVALID');
  });

  test('is refused on an open connection when its SVID has expired', async () => {
    server.clock.move(3601_000);
    try {
      expect(await codeOf(agent.agent.renewAgent({ params: { csr: await csrOf() } }))).toBe('AGENT_REQUIRED');
    } finally {
      server.clock.move(-3601_000);
    }
  });

  test('is told trust at once, and the stream ends with the server', async () => {
    const other = serverFolder();
    const second = await testServer(other.path);
    const watching = await second.join();
    const seen = Promise.withResolvers<{ trustDomain: string; x509Authorities: Uint8Array[] }>();
    const ended = watching.node.watchTrust({}, seen.resolve).catch((error: unknown) => error);
    const { trustDomain, x509Authorities } = await seen.promise;
    expect([trustDomain, ...x509Authorities.map(toHex)]).toEqual(['example.org', ...second.roots.map(toHex)]);
    await second.stop();
    await ended;
    other.remove();
  });
});

const agentMethods = (node: TestAgent['node']): [string, () => Promise<unknown>][] => [
  ['openAttempt', () => node.openAttempt({})],
  ['identify', () => node.identify({})],
  ['issueX509Svid', () => node.issueX509Svid({})],
  ['issueJwtSvid', () => node.issueJwtSvid({})],
  ['seal', () => node.seal({})],
  ['closeAttempt', () => node.closeAttempt({})],
  ['watchTrust', () => node.watchTrust({}, () => undefined)],
];

describe('who has no agent SVID', () => {
  test('gets the trust bundle', async () => {
    const bundle = await server.connect().stub(Bundle).getBundle({});
    expect(bundle).toMatchObject({ trustDomain: 'example.org', sequenceNumber: 1n, refreshHint: 300n });
    expect(bundle.x509Authorities.map(({ asn1 }) => toHex(asn1))).toEqual(server.roots.map(toHex));
    expect(bundle.jwtAuthorities).toHaveLength(1);
  });

  test('is refused by every other method', async () => {
    const { stub } = server.connect();
    expect(await codeOf(stub(Agent).renewAgent({ params: { csr: await csrOf() } }))).toBe('AGENT_REQUIRED');
    for (const [name, call] of agentMethods(stub(Node))) expect([name, await codeOf(call())]).toEqual([name, 'AGENT_REQUIRED']);
  });
});

describe('a connection is cut and told to the log when its certificate is', async () => {
  const key = clientKey();
  const foreign = await testCa({ trustDomain: 'example.org', clock: systemClock, rng: systemRng });
  const other = await testCa({ trustDomain: 'other.example', clock: systemClock, rng: systemRng });
  const refused = async (chain: readonly Uint8Array[], pkcs8: Uint8Array, why: string): Promise<void> => {
    const before = server.logged.length;
    const { stub } = server.connect({ chain, key: pkcs8 });
    expect(await codeOf(stub(Node).identify({ who: { case: 'self', value: {} } }))).toMatch(/SERVICE_UNREACHABLE|RPC_FAILED/);
    expect(server.logged.slice(before).join('\n')).toContain(why);
  };

  test("an agent's name from another trust domain", async () => {
    const { chain } = await issueX509Svid(other.svid, { spiffeId: 'spiffe://other.example/spire/agent/join_token/x', spki: key.spki, seconds: 300 });
    await refused(chain, key.pkcs8, 'TRUST_DOMAIN_CA_MISMATCH');
  });

  test("an agent's name of this trust domain from a foreign authority", async () => {
    const { chain } = await issueX509Svid(foreign.svid, { spiffeId: agent.id, spki: key.spki, seconds: 300 });
    await refused(chain, key.pkcs8, 'CHAIN_UNTRUSTED');
  });

  test("a workload's SVID", async () => {
    const { svids } = await agent.node.issueX509Svid({
      caller: { who: { case: 'workload', value: { uid: 1000, gid: 1000, user: 'alice', path: '/bin/sh', operator: true } } }, publicKey: key.spki,
    });
    expect(svids[0]!.spiffeId).toBe(PERSON);
    await refused(svids[0]!.chain, key.pkcs8, 'AGENT_REQUIRED');
  });

  test('a signing certificate', async () => {
    await refused(await certified(server, key), key.pkcs8, 'EXT_KEY_USAGE');
  });

  test('expired', async () => {
    const late = await server.join();
    server.clock.move(3601_000);
    try {
      await refused(late.identity.chain, late.identity.key, 'CHAIN_EXPIRED');
    } finally {
      server.clock.move(-3601_000);
    }
  });
});

test('an agent that the server has forgotten is unknown, on its open connection too', async () => {
  const forgotten = await server.join();
  const db = new DatabaseSync(join(folder.path, 'stepseal.db'));
  db.prepare('DELETE FROM agents WHERE id = ?').run(forgotten.id);
  db.close();
  for (const { stub } of [forgotten.connection, server.connect(forgotten.identity)]) {
    expect(await codeOf(stub(Node).identify({ who: { case: 'self', value: {} } }))).toBe('AGENT_UNKNOWN');
  }
});

test('a connection that never shakes hands does not hold the stop', async () => {
  const other = serverFolder();
  const second = await testServer(other.path);
  const [host, port] = second.grpcAddress.split(':') as [string, string];
  const socket = connectTcp(Number(port), host);
  await new Promise((resolve) => socket.once('connect', resolve));
  const began = performance.now();
  await second.stop();
  expect(performance.now() - began).toBeLessThan(5_000);
  socket.destroy();
  other.remove();
});
