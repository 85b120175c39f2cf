import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/hex.ts';
import { encodePem } from '../../../src/der/pem.ts';
import { parseDer, children } from '../../../src/der/read.ts';
import { asNamedBits, asSmallInteger } from '../../../src/der/values.ts';
import { TSA_POLICY, timestampAuthority, type TimestampAuthority } from '../../../src/tsa/authority.ts';
import { parseTimestampJson } from '../../../src/tsa/json.ts';
import { respondToDer, respondToJson } from '../../../src/tsa/respond.ts';
import { imprintOf } from '../../../src/x509/imprint.ts';
import { FAIL_INFO, parseTimestampResponse, verifyTimestamp } from '../../../src/x509/timestamp.ts';
import { buildTimestampRequest } from '../../../src/x509/timestampRequest.ts';
import { seededRng, testCa, type TestCa } from '../../fakes/ca.ts';

const NOW = Date.parse('2026-03-01T12:00:00.700Z');
const DAY = 86_400_000;
const SIGNATURE = Buffer.from('a signature');
let now: number;
let ca: TestCa;
let tsa: TimestampAuthority;

beforeAll(async () => {
  ca = await testCa({ trustDomain: 'example.org', clock: { now: () => NOW }, rng: seededRng('tsa') });
});
beforeEach(() => {
  now = NOW;
  tsa = timestampAuthority({ authority: () => ca.tsa, clock: { now: () => now }, rng: seededRng('serials') });
});

type Hash = 'sha256' | 'sha384' | 'sha512';
const imprint = (hash: Hash = 'sha256') => imprintOf(hash, createHash(hash).update(SIGNATURE).digest());
const trusted = () => [{ chain: [ca.tsa.certificate, ca.signingRoot.certificate], validFor: { start: ca.tsa.certificate.notBefore } }];
const refused = (code: string) => expect.objectContaining({ code });
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** PKIStatus and the bit of PKIFailureInfo. */
function rejection(der: Uint8Array): { status: number; reason: number } {
  const [status, ...rest] = children(parseDer(der));
  expect(rest).toEqual([]);
  const [code, , failure] = children(status!);
  return { status: asSmallInteger(code!, 'status'), reason: 31 - Math.clz32(asNamedBits(failure!, 'failInfo')) };
}

describe('a timestamp', () => {
  it.each(['sha256', 'sha384', 'sha512'] as const)('over %s verifies, and tells the clock’s time to the second', async (hash) => {
    const response = await tsa.stamp({ imprint: imprint(hash), certReq: true });
    const { time } = verifyTimestamp({ response, signatureBytes: SIGNATURE, authorities: trusted() });
    expect(time).toBe(NOW - 700);
  });

  it('is bound to what was stamped', async () => {
    const response = await tsa.stamp({ imprint: imprint(), certReq: false });
    expect(() => verifyTimestamp({ response, signatureBytes: Buffer.from('another'), authorities: trusted() })).toThrow(refused('TIMESTAMP_MISMATCH'));
  });

  it('repeats nonce and imprint, and embeds the certificate only where that was asked for', async () => {
    const nonce = Uint8Array.of(0, 0xff, 1);
    const without = parseTimestampResponse(await tsa.stamp({ imprint: imprint(), nonce, certReq: false }));
    expect(toHex(without.nonce!)).toBe('00ff01');
    expect(toHex(without.imprint.der)).toBe(toHex(imprint().der));
    expect(without.certificates).toEqual([]);
    expect(without.policy).toBe(TSA_POLICY);
    const embedding = parseTimestampResponse(await tsa.stamp({ imprint: imprint(), certReq: true }));
    expect(embedding.nonce).toBeUndefined();
    expect(embedding.certificates.map((one) => toHex(one.der))).toEqual([toHex(ca.tsa.certificate.der)]);
  });

  it('has a serial number of its own', async () => {
    const serials = new Set<string>();
    for (let index = 0; index < 50; index++) serials.add(toHex(parseTimestampResponse(await tsa.stamp({ imprint: imprint(), certReq: false })).serial));
    expect(serials.size).toBe(50);
  });

  it('of the same request at the same time with the same randomness is signed over the same bytes', async () => {
    const one = parseTimestampResponse(await tsa.stamp({ imprint: imprint(), certReq: true }));
    const again = timestampAuthority({ authority: () => ca.tsa, clock: { now: () => now }, rng: seededRng('serials') });
    const two = parseTimestampResponse(await again.stamp({ imprint: imprint(), certReq: true }));
    expect(toHex(two.signed.signedAttributes)).toBe(toHex(one.signed.signedAttributes));
  });
});

describe('the clock', () => {
  const time = async (): Promise<number> => parseTimestampResponse(await tsa.stamp({ imprint: imprint(), certReq: false })).genTime;

  it('may stand a second back, and time still does not run back', async () => {
    const first = await time();
    now -= 1_000;
    expect(await time()).toBe(first);
  });

  it('further back stops timestamps until it has caught up', async () => {
    await time();
    now -= 1_001;
    await expect(time()).rejects.toThrow(refused('CLOCK_WENT_BACK'));
    now = NOW + 5_000;
    expect(await time()).toBe(NOW + 4_300);
  });

  it('outside the validity of the certificate gives no timestamp, and does not count as a time that was told', async () => {
    now = NOW + 400 * DAY;
    await expect(time()).rejects.toThrow(refused('CA_EXPIRED'));
    now = NOW - DAY;
    await expect(time()).rejects.toThrow(refused('CA_EXPIRED'));
    now = NOW;
    expect(await time()).toBe(NOW - 700);
  });
});

describe('a request in DER', () => {
  it('is answered in DER', async () => {
    const reply = await respondToDer(tsa, buildTimestampRequest({ imprint: imprint(), certReq: true, policy: TSA_POLICY }));
    expect(reply.granted).toBe(true);
    verifyTimestamp({ response: reply.der, signatureBytes: SIGNATURE, authorities: trusted() });
  });

  // TimeStampReq over SHA-1 of the signature, as `openssl ts -query -sha1 -cert` writes it
  const sha1 = Buffer.from(`30290201013021300906052b0e03021a05000414${createHash('sha1').update(SIGNATURE).digest('hex')}0101ff`, 'hex');
  it.each([
    ['over SHA-1', () => sha1, 'badAlg'],
    ['under another policy', () => buildTimestampRequest({ imprint: imprint(), certReq: true, policy: '1.2.3' }), 'unacceptedPolicy'],
    ['that is no DER', () => Buffer.from('hello'), 'badDataFormat'],
    ['that is empty', () => Buffer.alloc(0), 'badDataFormat'],
    ['that is a megabyte long', () => Buffer.alloc(1_000_000, 0x30), 'badDataFormat'],
    ['with bytes after it', () => Buffer.concat([buildTimestampRequest({ imprint: imprint(), certReq: true }), Buffer.of(0)]), 'badDataFormat'],
  ] as const)('%s is rejected in DER', async (_, request, reason) => {
    const reply = await respondToDer(tsa, request());
    expect(reply.granted).toBe(false);
    expect(rejection(reply.der)).toEqual({ status: 2, reason: FAIL_INFO[reason] });
    expect(() => parseTimestampResponse(reply.der)).toThrow(refused('TIMESTAMP_INVALID'));
  });

  it('is rejected while there is no time to tell', async () => {
    await tsa.stamp({ imprint: imprint(), certReq: false });
    now -= 60_000;
    const reply = await respondToDer(tsa, buildTimestampRequest({ imprint: imprint(), certReq: true }));
    expect(rejection(reply.der)).toEqual({ status: 2, reason: FAIL_INFO.timeNotAvailable });
  });

  it('does not hide a fault of ours behind a rejection', async () => {
    const broken = timestampAuthority({ authority: () => ({ ...ca.tsa, signer: { ...ca.tsa.signer, sign: () => Promise.reject(new Error('token gone')) } }), clock: { now: () => now }, rng: seededRng('x') });
    await expect(respondToDer(broken, buildTimestampRequest({ imprint: imprint(), certReq: true }))).rejects.toThrow('token gone');
  });
});

describe('a request in JSON', () => {
  const artifactHash = createHash('sha256').update(SIGNATURE).digest('base64');

  it('as sigstore-js writes it is answered in DER, with the certificate', async () => {
    const reply = await respondToJson(tsa, json({ artifactHash, hashAlgorithm: 'sha256', certificates: true }));
    expect(reply.granted).toBe(true);
    verifyTimestamp({ response: reply.der, signatureBytes: SIGNATURE, authorities: trusted() });
    expect(parseTimestampResponse(reply.der).certificates).toHaveLength(1);
  });

  it.each([
    [0, '00'], [1, '01'], [127, '7f'], [128, '0080'], [255, '00ff'], [256, '0100'], [-1, 'ff'], [-128, '80'], [-129, 'ff7f'],
    [Number.MAX_SAFE_INTEGER, '1fffffffffffff'],
  ])('with the nonce %d means the INTEGER %s', (nonce, content) => {
    expect(toHex(parseTimestampJson(json({ artifactHash, hashAlgorithm: 'sha256', nonce })).nonce!)).toBe(content);
  });

  it('may name our policy, or leave the optional members null', () => {
    expect(parseTimestampJson(json({ artifactHash, hashAlgorithm: 'SHA256', tsaPolicyOID: TSA_POLICY }))).toMatchObject({ policy: TSA_POLICY, certReq: false });
    expect(parseTimestampJson(json({ artifactHash, hashAlgorithm: 'sha256', nonce: null, certificates: null, tsaPolicyOID: null })).nonce).toBeUndefined();
  });

  it.each([
    ['SHA-1', json({ artifactHash: createHash('sha1').update(SIGNATURE).digest('base64'), hashAlgorithm: 'sha1' }), 'badAlg'],
    ['a digest of another length', json({ artifactHash: 'AAAA', hashAlgorithm: 'sha256' }), 'badDataFormat'],
    ['hexadecimal', json({ artifactHash: 'abc', hashAlgorithm: 'sha256' }), 'badDataFormat'],
    ['an unknown member', json({ artifactHash, hashAlgorithm: 'sha256', x: 1 }), 'badDataFormat'],
    ['no algorithm', json({ artifactHash }), 'badDataFormat'],
    ['a fraction as nonce', json({ artifactHash, hashAlgorithm: 'sha256', nonce: 1.5 }), 'badDataFormat'],
    ['another policy', json({ artifactHash, hashAlgorithm: 'sha256', tsaPolicyOID: '1.2.3' }), 'unacceptedPolicy'],
    ['a policy that is no OID', json({ artifactHash, hashAlgorithm: 'sha256', tsaPolicyOID: 'x' }), 'badDataFormat'],
    ['a member twice', Buffer.from(`{"artifactHash":"${artifactHash}","hashAlgorithm":"sha256","hashAlgorithm":"sha512"}`), 'badDataFormat'],
    ['no JSON', Buffer.from('hello'), 'badDataFormat'],
    ['too much JSON', Buffer.from(' '.repeat(5000)), 'badDataFormat'],
  ] as const)('with %s is rejected in DER', async (_, request, reason) => {
    const reply = await respondToJson(tsa, request);
    expect(reply.granted).toBe(false);
    expect(rejection(reply.der)).toEqual({ status: 2, reason: FAIL_INFO[reason] });
  });
});

const version = spawnSync('openssl', ['version'], { encoding: 'utf8' });
describe.skipIf(version.status !== 0)('openssl ts (skipped where it is not installed)', () => {
  let folder: string;
  const path = (name: string): string => join(folder, name);
  const openssl = (...args: string[]) => spawnSync('openssl', args, { encoding: 'utf8' });
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'stepseal-ts-'));
    writeFileSync(path('data'), randomBytes(100));
    writeFileSync(path('root.pem'), encodePem('CERTIFICATE', ca.signingRoot.certificate.der));
    writeFileSync(path('tsa.pem'), encodePem('CERTIFICATE', ca.tsa.certificate.der));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function exchange(...query: string[]): Promise<{ granted: boolean }> {
    expect(openssl('ts', '-query', '-data', path('data'), '-out', path('query'), ...query).status).toBe(0);
    const reply = await respondToDer(tsa, readFileSync(path('query')));
    writeFileSync(path('reply'), reply.der);
    return reply;
  }
  const verify = (...more: string[]) =>
    openssl('ts', '-verify', '-queryfile', path('query'), '-in', path('reply'), '-CAfile', path('root.pem'), '-attime', String(Math.floor(NOW / 1000)), ...more);

  it.each(['-sha256', '-sha384', '-sha512'])('asks with %s and a nonce, and verifies what it gets', async (hash) => {
    expect((await exchange(hash, '-cert')).granted).toBe(true);
    expect(verify()).toMatchObject({ status: 0, stdout: expect.stringContaining('Verification: OK') as string });
  });

  it('verifies a token without certificate, when it has the certificate itself', async () => {
    await exchange('-sha256', '-no_nonce');
    expect(verify('-untrusted', path('tsa.pem')).status).toBe(0);
  });

  it('refuses a token over other data', async () => {
    await exchange('-sha256', '-cert');
    writeFileSync(path('data'), randomBytes(100));
    expect(openssl('ts', '-verify', '-data', path('data'), '-in', path('reply'), '-CAfile', path('root.pem'), '-attime', String(Math.floor(NOW / 1000))).status).not.toBe(0);
  });

  it('reads our rejection of SHA-1 with its reason', async () => {
    expect((await exchange('-sha1', '-cert')).granted).toBe(false);
    const { stdout } = openssl('ts', '-reply', '-in', path('reply'), '-text');
    expect(stdout).toContain('Rejected');
    expect(stdout).toContain('unrecognized or unsupported algorithm identifier');
  });
});
