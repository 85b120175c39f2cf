import { createPrivateKey, createPublicKey } from 'node:crypto';
import { userInfo } from 'node:os';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { parseDer } from '../../src/der/read.ts';
import { parseSpiffeBundle } from '../../src/spiffe/bundleDocument.ts';
import { decodeJwtSvid } from '../../src/spiffe/jwtValidate.ts';
import { type Certificate, parseCertificate } from '../../src/x509/certificate.ts';
import { verifyCertificateChain } from '../../src/x509/path.ts';
import { agentFolder, eventually, type Stream, testAgent, type TestAgentProcess } from '../fakes/testAgent.ts';
import { serverFolder, testServer, type TestServer } from '../fakes/testServer.ts';

const ME = `spiffe://example.org/local/user/${userInfo().username}`;
const MINUTE = 60_000;

const folders = [serverFolder(), agentFolder()] as const;
let server: TestServer;
let agent: TestAgentProcess;
const streams: { cancel(): void }[] = [];

beforeAll(async () => {
  server = await testServer(folders[0].path);
  agent = await testAgent(folders[1].path, server);
  await eventually(async () => (await agent.health('stepseal.server')) === 'serving');
});
afterAll(async () => {
  await agent.stop();
  await server.stop();
  for (const folder of folders) folder.remove();
});
afterEach(() => {
  for (const stream of streams.splice(0)) stream.cancel();
});

const open = <M extends 'fetchX509SVID' | 'fetchX509Bundles' | 'fetchJWTBundles'>(method: M, metadata?: Record<string, string>): Stream<M> => {
  const stream = agent.client.stream(method, metadata);
  streams.push(stream);
  return stream;
};

/** Certificates that stand one after the other. */
function certificates(bytes: Uint8Array): Certificate[] {
  const found: Certificate[] = [];
  for (let at = 0; at < bytes.length;) {
    // tag, then a length in two bytes: 30 82 xx xx
    const end = at + 4 + bytes[at + 2]! * 256 + bytes[at + 3]!;
    parseDer(bytes.subarray(at, end));
    found.push(parseCertificate(bytes.slice(at, end)));
    at = end;
  }
  return found;
}

const hexes = (found: readonly Certificate[]): string[] => found.map(({ der }) => toHex(der));
const publicKeyOf = (pkcs8: Uint8Array): Uint8Array => new Uint8Array(createPublicKey(createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })).export({ format: 'der', type: 'spki' }));
const statusOf = (call: Promise<unknown>): Promise<number> => call.then(() => status.OK, (error: { code: number }) => error.code);

describe('FetchX509SVID', () => {
  test('gives the whole state at once: identity, chain, key and bundle, as any peer checks them', async () => {
    const { svids, crl, federatedBundles } = await open('fetchX509SVID').next();
    expect({ crl, federatedBundles, ids: svids.map(({ spiffeId }) => spiffeId), hints: svids.map(({ hint }) => hint) }).toEqual({ crl: [], federatedBundles: {}, ids: [ME], hints: ['person'] });
    const [leaf, ...intermediates] = certificates(svids[0]!.x509Svid);
    const roots = certificates(svids[0]!.bundle);
    expect(hexes(roots)).toEqual(server.roots.map(toHex));
    verifyCertificateChain({ leaf: leaf!, intermediates, roots, time: agent.clock.now(), purpose: 'svid', trustDomain: 'example.org' });
    expect(leaf!.subjectAltName?.uris).toEqual([ME]);
    expect(publicKeyOf(svids[0]!.x509SvidKey)).toEqual(leaf!.spki);
    expect(leaf!.publicKey.algorithm).toBe('ecdsa-p256');
  });

  test('gives two streams of one caller the same SVID, with one question to the server', async () => {
    const [a, b] = await Promise.all([open('fetchX509SVID').next(), open('fetchX509SVID').next()]);
    expect(b.svids).toEqual(a.svids);
  });

  test('pushes a new key and certificate at half of the life, and nothing before', async () => {
    const stream = open('fetchX509SVID');
    const first = (await stream.next()).svids[0]!;
    agent.clock.move(25 * MINUTE);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(stream.waiting).toBe(0);
    agent.clock.move(10 * MINUTE);
    const second = (await stream.next()).svids[0]!;
    expect(second.spiffeId).toBe(ME);
    expect(second.x509SvidKey).not.toEqual(first.x509SvidKey);
    expect(certificates(second.x509Svid)[0]!.notAfter).toBeGreaterThan(certificates(first.x509Svid)[0]!.notAfter);
    const own = (await open('fetchX509SVID').next()).svids[0]!;
    expect(own).toEqual(second);
  });
});

describe('bundles', () => {
  test('come as concatenated DER and as JWK sets that hold JWT keys only, by the ID of the trust domain', async () => {
    const { bundles } = await open('fetchX509Bundles').next();
    expect(Object.keys(bundles)).toEqual(['spiffe://example.org']);
    expect(hexes(certificates(bundles['spiffe://example.org']!))).toEqual(server.roots.map(toHex));
    const jwt = await open('fetchJWTBundles').next();
    expect(Object.keys(jwt.bundles)).toEqual(['spiffe://example.org']);
    const { x509Authorities, jwtAuthorities } = parseSpiffeBundle(jwt.bundles['spiffe://example.org']!, 'example.org');
    expect({ x509: x509Authorities.length, jwt: jwtAuthorities.length }).toEqual({ x509: 0, jwt: 1 });
  });
});

describe('FetchJWTSVID', () => {
  const fetchToken = async (audience: string[], spiffeId = ''): Promise<string> => (await agent.client.unary('fetchJWTSVID', { audience, spiffeId })).svids[0]!.svid;

  test('gives a token of the caller for every audience that was asked for', async () => {
    const { svids } = await agent.client.unary('fetchJWTSVID', { audience: ['a', 'b'] });
    expect(svids).toMatchObject([{ spiffeId: ME, hint: 'person' }]);
    expect(decodeJwtSvid(svids[0]!.svid).claims).toMatchObject({ sub: ME, aud: ['a', 'b'], iss: 'https://example.org' });
  });

  test('gives the same token until half of its life, by audience and identity', async () => {
    const token = await fetchToken(['kept']);
    expect(await fetchToken(['kept'])).toBe(token);
    expect(await fetchToken(['other'])).not.toBe(token);
    agent.clock.move(4 * MINUTE);
    expect(await fetchToken(['kept'])).not.toBe(token);
  });

  test('gives the identity that is asked for, and refuses another', async () => {
    expect(decodeJwtSvid(await fetchToken(['a'], ME)).claims['sub']).toBe(ME);
    expect(await statusOf(fetchToken(['a'], 'spiffe://example.org/local/user/somebody-else'))).toBe(status.PERMISSION_DENIED);
    expect(await statusOf(fetchToken(['a'], 'no ID'))).toBe(status.INVALID_ARGUMENT);
  });

  test('needs an audience, and none that is empty', async () => {
    for (const audience of [[], [''], ['a', '']]) expect(await statusOf(fetchToken(audience))).toBe(status.INVALID_ARGUMENT);
  });
});

describe('ValidateJWTSVID', () => {
  test('answers identity and claims of a good token', async () => {
    const svid = (await agent.client.unary('fetchJWTSVID', { audience: ['a'] })).svids[0]!.svid;
    const { spiffeId, claims } = await agent.client.unary('validateJWTSVID', { audience: 'a', svid });
    expect({ spiffeId, claims }).toMatchObject({ spiffeId: ME, claims: { sub: ME, aud: ['a'] } });
  });

  test('refuses a bad one as a bad argument, with the reason', async () => {
    const svid = (await agent.client.unary('fetchJWTSVID', { audience: ['a'] })).svids[0]!.svid;
    const refuse = (request: { audience: string; svid: string }) => agent.client.unary('validateJWTSVID', request).then(() => undefined, ({ code, details }: { code: number; details: string }) => ({ code, details }));
    expect(await refuse({ audience: 'b', svid })).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining('JWT_AUDIENCE') });
    expect(await refuse({ audience: 'a', svid: `${svid.slice(0, -4)}AAAA` })).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining('JWT_SIGNATURE') });
    expect(await refuse({ audience: 'a', svid: 'a.b.c' })).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(await refuse({ audience: '', svid })).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(await refuse({ audience: 'a', svid: '' })).toMatchObject({ code: status.INVALID_ARGUMENT });
    agent.clock.move(6 * MINUTE);
    expect(await refuse({ audience: 'a', svid })).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining('JWT_EXPIRED') });
  });
});

describe('the header workload.spiffe.io', () => {
  test.each([{}, { 'workload.spiffe.io': 'True' }, { 'workload.spiffe.io': '' }, { 'workload.spiffe.io': 'true, true' }])('%j is refused by every method', async (metadata) => {
    const codes = [
      await statusOf(open('fetchX509SVID', metadata as Record<string, string>).next()),
      await statusOf(open('fetchX509Bundles', metadata as Record<string, string>).next()),
      await statusOf(open('fetchJWTBundles', metadata as Record<string, string>).next()),
      await statusOf(agent.client.unary('fetchJWTSVID', { audience: ['a'] }, metadata as Record<string, string>)),
      await statusOf(agent.client.unary('validateJWTSVID', { audience: 'a', svid: 'x' }, metadata as Record<string, string>)),
    ];
    expect(codes).toEqual(Array(5).fill(status.INVALID_ARGUMENT));
  });

  test('is not asked for by health, which says that agent and server are there', async () => {
    for (const name of ['', 'SpiffeWorkloadAPI', 'stepseal.server']) expect(await agent.health(name)).toBe('serving');
    expect(await statusOf(agent.client.health('unknown'))).toBe(status.NOT_FOUND);
  });
});
