import { describe, expect, test } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { sha256 } from '../../src/base/bytes.ts';
import { issueSigningCertificate } from '../../src/ca/signing.ts';
import { issueX509Svid } from '../../src/ca/svid.ts';
import { generateSigner } from '../../src/keys/signer.ts';
import { timestampAuthority } from '../../src/tsa/authority.ts';
import { imprintOf } from '../../src/x509/imprint.ts';
import { EVIDENCE_OID } from '../../src/x509/oids.ts';
import { seededRng, testCa } from '../fakes/ca.ts';
import { lines, runPeer, without } from './run.ts';

const NOW = Date.UTC(2026, 2, 4, 5, 6, 7);
const STEP = 'spiffe://example.org/ns/local/task/release/step/build';
const clock = { now: () => NOW };
const rng = seededRng('interop');

const ca = await testCa({ trustDomain: 'example.org', clock, rng });
const { spki } = generateSigner('ecdsa-p256-sha256');
const certificates = {
  'identity root': ca.identityRoot.certificate.der,
  'X509-SVID CA': ca.svidCa.certificate.der,
  'X509-SVID': (await issueX509Svid(ca.svid, { spiffeId: STEP, spki, seconds: 300 })).leaf.der,
  'signing root': ca.signingRoot.certificate.der,
  'signing intermediate': ca.intermediate.certificate.der,
  'signing certificate': (await issueSigningCertificate(ca.signing, { spiffeId: STEP, spki, evidence: { custody: 'seal', attempt: 'a', digest: new Uint8Array(32) } })).der,
  'TSA certificate': ca.tsa.certificate.der,
};
type Name = keyof typeof certificates;

interface Answer {
  readonly ok: boolean;
  readonly error?: string;
  readonly [field: string]: unknown;
}

/** Questions to Go's crypto/x509 and the timestamp library, answered in one run of the peer. */
function ask(...questions: readonly Record<string, unknown>[]): Answer[] {
  const encode = (value: unknown): unknown => (value instanceof Uint8Array ? toBase64(value) : Array.isArray(value) ? value.map(encode) : value);
  const input = questions.map((question) => JSON.stringify(Object.fromEntries(Object.entries(question).map(([name, value]) => [name, encode(value)])))).join('\n');
  return lines<Answer>(runPeer('certcheck', [], { input }));
}

const chain = (leaf: Name, intermediates: readonly Name[], root: Name, usage: string, timeMs = NOW) =>
  ask({ op: 'chain', certificate: certificates[leaf], intermediates: intermediates.map((name) => certificates[name]), roots: [certificates[root]], usage, timeMs })[0]!;

describe.skipIf(without('certcheck'))('certificates in the eyes of Go', () => {
  test.each(Object.keys(certificates) as Name[])('the %s parses, with nothing critical left unread', (name) => {
    const [answer] = ask({ op: 'parse', certificate: certificates[name] });
    expect(answer).toMatchObject({ ok: true, version: 3, unhandledCritical: [] });
  });

  test('the signing certificate says what it is for, who it names and what was attested', () => {
    const [answer] = ask({ op: 'parse', certificate: certificates['signing certificate'] });
    expect(answer).toMatchObject({ uris: [STEP], isCa: false, extKeyUsage: [3], keyUsage: 1 });
    expect(answer!['extensions']).toEqual(expect.arrayContaining([EVIDENCE_OID, '1.3.6.1.4.1.57264.1.8', '1.3.6.1.4.1.11129.2.4.2']));
  });

  test('the signing intermediate is constrained to the trust domain and issues no CA', () => {
    const [answer] = ask({ op: 'parse', certificate: certificates['signing intermediate'] });
    expect(answer).toMatchObject({ isCa: true, maxPathLen: 0, maxPathLenZero: true, permittedUriDomains: ['example.org'] });
  });

  test.each([
    ['X509-SVID', ['X509-SVID CA'], 'identity root', 'server'],
    ['X509-SVID', ['X509-SVID CA'], 'identity root', 'client'],
    ['signing certificate', ['signing intermediate'], 'signing root', 'code'],
    ['TSA certificate', [], 'signing root', 'time'],
  ] as const)('the %s chains over %j to the %s for use as %s', (leaf, intermediates, root, usage) => {
    expect(chain(leaf, intermediates, root, usage)).toMatchObject({ ok: true, chains: 1, length: intermediates.length + 2 });
  });

  test.each([
    ['a signing certificate is no TLS server', 'signing certificate', ['signing intermediate'], 'signing root', 'server', NOW, /incompatible key usage/],
    ['a signing certificate is no SVID, whatever the usage', 'signing certificate', ['signing intermediate', 'X509-SVID CA'], 'identity root', 'any', NOW, /unknown authority/],
    ['an SVID signs no code', 'X509-SVID', ['X509-SVID CA'], 'identity root', 'code', NOW, /incompatible key usage/],
    ['a TSA certificate signs no code', 'TSA certificate', [], 'signing root', 'code', NOW, /incompatible key usage/],
    ['a signing certificate ends after ten minutes', 'signing certificate', ['signing intermediate'], 'signing root', 'code', NOW + 601_000, /expired/],
  ] as const)('%s', (_, leaf, intermediates, root, usage, time, error) => {
    expect(chain(leaf, intermediates, root, usage, time)).toMatchObject({ ok: false, error: expect.stringMatching(error) });
  });
});

describe.skipIf(without('certcheck'))("timestamps in the eyes of Sigstore's timestamp library", async () => {
  const artifact = Buffer.from('signature bytes');
  const authority = timestampAuthority({ authority: () => ca.tsa, clock, rng });
  const response = await authority.stamp({ imprint: imprintOf('sha256', sha256(artifact)), certReq: true });
  const bare = await authority.stamp({ imprint: imprintOf('sha256', sha256(artifact)), certReq: false });
  const question = { op: 'timestamp', response, artifact, roots: [certificates['signing root']] };

  test('a token with its certificate is accepted, and its time is the second of the clock', () => {
    expect(ask(question)[0]).toMatchObject({ ok: true, timeMs: NOW, certificates: 1 });
  });

  test('a token without it is accepted beside the certificate', () => {
    expect(ask({ ...question, response: bare, certificate: certificates['TSA certificate'] })[0]).toMatchObject({ ok: true, timeMs: NOW, certificates: 0 });
  });

  test('another artifact, another root and a changed byte are refused', () => {
    const changed = Buffer.from(response);
    changed[changed.length - 1]! ^= 1;
    const answers = ask({ ...question, artifact: Buffer.from('other') }, { ...question, roots: [certificates['identity root']] }, { ...question, response: changed });
    expect(answers.map(({ ok }) => ok)).toEqual([false, false, false]);
  });
});
