import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/bytes.ts';
import { toHex } from '../../../src/base/hex.ts';
import type { Signer } from '../../../src/base/ports.ts';
import { issueSigningCertificate, signingIssuer, type SigningRequest } from '../../../src/ca/signing.ts';
import { issueX509Svid, svidIssuer } from '../../../src/ca/svid.ts';
import { generateSigner } from '../../../src/keys/signer.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { certificateEvidence } from '../../../src/x509/evidence.ts';
import { fulcioValue } from '../../../src/x509/fulcio.ts';
import { verifyCertificateChain } from '../../../src/x509/path.ts';
import { precertTbs } from '../../../src/x509/precert.ts';
import { leafIndexOf, verifySct } from '../../../src/x509/sct.ts';
import { verifySignature } from '../../../src/x509/verify.ts';
import { seededRng, testCa, type TestCa } from '../../fakes/ca.ts';

const TD = 'example.org';
const NOW = Date.parse('2026-03-01T12:00:00.500Z');
const DAY = 86_400_000;
const STEP = `spiffe://${TD}/ns/local/task/release/step/build`;
const DIGEST = sha256(Buffer.from('evidence'));
const { spki } = generateSigner('ecdsa-p256-sha256');
const request: SigningRequest = { spiffeId: STEP, spki, evidence: { custody: 'seal', attempt: 'a1', digest: DIGEST } };

let now = NOW;
const clock = { now: () => now };
let ca: TestCa;

beforeAll(async () => {
  ca = await testCa({ trustDomain: TD, clock, rng: seededRng('ca') });
});
beforeEach(() => {
  now = NOW;
});

const refused = (code: string) => expect.objectContaining({ code });
const spkiOf = ({ publicKey }: { publicKey: KeyObject }): Uint8Array => publicKey.export({ type: 'spki', format: 'der' });
const ec = (namedCurve: string): Uint8Array => spkiOf(generateKeyPairSync('ec', { namedCurve }));
const rsa = (modulusLength: number): Uint8Array => spkiOf(generateKeyPairSync('rsa', { modulusLength }));

function counting(signer: Signer): Signer & { readonly signed: Uint8Array[] } {
  const signed: Uint8Array[] = [];
  return { ...signer, signed, sign: (data) => (signed.push(data), signer.sign(data)) };
}

describe('an X509-SVID', () => {
  it('chains to the identity root, names one identity, and lives as long as asked, backdated by 10 s', async () => {
    const { leaf, chain } = await issueX509Svid(ca.svid, { spiffeId: STEP, spki, seconds: 300 });
    expect(chain).toEqual([leaf.der, ca.svidCa.certificate.der]);
    expect(leaf.subjectAltName).toMatchObject({ uris: [STEP], dns: [], critical: true });
    expect([leaf.notBefore, leaf.notAfter]).toEqual([Math.floor(NOW / 1000) * 1000 - 10_000, Math.floor(NOW / 1000) * 1000 + 300_000]);
    expect(toHex(leaf.spki)).toBe(toHex(spki));
    const path = verifyCertificateChain({ leaf, intermediates: [ca.svidCa.certificate], roots: [ca.identityRoot.certificate], time: NOW, purpose: 'svid', trustDomain: TD });
    expect(path).toHaveLength(3);
  });

  it('does not outlive its CA', async () => {
    now = NOW + DAY - 60_000;
    const { leaf } = await issueX509Svid(ca.svid, { spiffeId: STEP, spki, seconds: 3600 });
    expect(leaf.notAfter).toBe(ca.svidCa.certificate.notAfter);
  });

  it.each([
    ['after its CA has expired', 2 * DAY],
    ['before its CA is valid', -DAY],
  ])('is not issued %s', async (_, shift) => {
    now = NOW + shift;
    await expect(issueX509Svid(ca.svid, { spiffeId: STEP, spki, seconds: 300 })).rejects.toThrow(refused('CA_EXPIRED'));
  });

  it('of two hours is refused by the lint before the key has signed anything', async () => {
    const signer = counting(ca.svidCa.signer);
    const issuer = svidIssuer({ ...ca.svid, authority: { ...ca.svidCa, signer } });
    await expect(issueX509Svid(issuer, { spiffeId: STEP, spki, seconds: 7200 })).rejects.toThrow(refused('CERT_PROFILE'));
    expect(signer.signed).toEqual([]);
  });

  it('is not a signing certificate, nor the other way round', async () => {
    const { leaf } = await issueX509Svid(ca.svid, { spiffeId: STEP, spki, seconds: 300 });
    const certificate = await issueSigningCertificate(ca.signing, request);
    const identity = { intermediates: [ca.svidCa.certificate], roots: [ca.identityRoot.certificate], time: NOW, trustDomain: TD };
    const signing = { intermediates: [ca.intermediate.certificate], roots: [ca.signingRoot.certificate], time: NOW, trustDomain: TD };
    expect(() => verifyCertificateChain({ ...identity, leaf, purpose: 'signing' })).toThrow(refused('EXT_KEY_USAGE'));
    expect(() => verifyCertificateChain({ ...signing, leaf: certificate, purpose: 'svid' })).toThrow(refused('EXT_KEY_USAGE'));
    expect(() => verifyCertificateChain({ ...identity, leaf: certificate, purpose: 'signing' })).toThrow(refused('CHAIN_UNTRUSTED'));
  });
});

describe('a signing certificate', () => {
  it('chains to the signing root for ten minutes and carries what the CA saw', async () => {
    const certificate = await issueSigningCertificate(ca.signing, { ...request, attested: { 10: 'sha256:00', 13: 'c0ffee' } });
    verifyCertificateChain({ leaf: certificate, intermediates: [ca.intermediate.certificate], roots: [ca.signingRoot.certificate], time: NOW, purpose: 'signing', trustDomain: TD });
    expect(certificate.notAfter - certificate.notBefore).toBe(610_000);
    expect(toHex(certificate.subject)).toBe('3000');
    expect(certificate.subjectAltName).toMatchObject({ uris: [STEP], critical: true });
    expect([1, 8, 9, 10, 13, 24].map((number) => fulcioValue(certificate, number))).toEqual([
      'https://example.org', 'https://example.org', undefined, 'sha256:00', 'c0ffee', STEP,
    ]);
    const { digest, ...evidence } = certificateEvidence(certificate)!;
    expect(evidence).toEqual({ custody: 'seal', attempt: 'a1' });
    expect(toHex(digest!)).toBe(toHex(DIGEST));
  });

  it('embeds the SCT of the log, over exactly what the log was given', async () => {
    const certificate = await issueSigningCertificate(ca.signing, request);
    const sct = verifySct(certificate, ca.intermediate.signer.spki, [{ spki: ca.ctKey.spki, validFor: { start: 0 } }]);
    const index = leafIndexOf(sct)!;
    const entry = ca.ctLog.entries[index]!;
    expect(index).toBe(ca.ctLog.entries.length - 1);
    expect(sct.timestamp).toBe(NOW);
    expect(toHex(entry.tbs)).toBe(toHex(precertTbs(certificate.tbs)));
    expect(entry.issuerKeyHash).toEqual(sha256(ca.intermediate.signer.spki));
    expect(entry.chain).toEqual([sha256(ca.intermediate.certificate.der), sha256(ca.signingRoot.certificate.der)]);
    const precert = parseCertificate(entry.preCertificate);
    expect(precert.unknownCritical).toEqual(['1.3.6.1.4.1.11129.2.4.3']);
    expect(verifySignature(ca.intermediate.signer.spki, precert.signatureAlgorithm, precert.tbs, precert.signature)).toBe(true);
    expect(precert.serial).toEqual(certificate.serial);
  });

  it('carries the timestamp of the entry that the log has, where that is an earlier one', async () => {
    const ctLog = { add: () => Promise.resolve({ leafIndex: 7, timestamp: NOW - 5 }) };
    const issuer = signingIssuer({ ...ca.signing, root: ca.signingRoot.certificate, oidcIssuer: 'https://example.org', ctLog });
    const sct = verifySct(await issueSigningCertificate(issuer, request), ca.intermediate.signer.spki, [{ spki: ca.ctKey.spki, validFor: { start: 0 } }]);
    expect([sct.timestamp, leafIndexOf(sct)]).toEqual([NOW - 5, 7]);
  });

  it('does not come into being when the log fails', async () => {
    const signer = counting(ca.intermediate.signer);
    const ctLog = { add: () => Promise.reject(new Error('the log is away')) };
    const issuer = signingIssuer({
      ...ca.signing, authority: { ...ca.intermediate, signer }, root: ca.signingRoot.certificate, oidcIssuer: 'https://example.org', ctLog,
    });
    await expect(issueSigningCertificate(issuer, request)).rejects.toThrow('the log is away');
    expect(signer.signed).toHaveLength(1);
  });

  it.each([
    ['P-256', ec('P-256')],
    ['P-384', ec('P-384')],
    ['P-521', ec('P-521')],
    ['Ed25519', spkiOf(generateKeyPairSync('ed25519'))],
    ['RSA of 2048 bits', rsa(2048)],
  ])('is issued for %s', async (_, key) => {
    expect(toHex((await issueSigningCertificate(ca.signing, { ...request, spki: key })).spki)).toBe(toHex(key));
  });

  it.each([
    ['RSA of 1024 bits', rsa(1024), 'ALG_NOT_ALLOWED'],
    ['P-224', ec('P-224'), 'ALG_NOT_ALLOWED'],
    ['secp256k1', ec('secp256k1'), 'ALG_NOT_ALLOWED'],
    ['no key at all', Buffer.from('3000', 'hex'), 'DER_INVALID'],
    ['a key with bytes after it', Buffer.concat([spki, Buffer.of(0)]), 'DER_INVALID'],
  ])('is refused for %s', async (_, key, code) => {
    await expect(issueSigningCertificate(ca.signing, { ...request, spki: key })).rejects.toThrow(refused(code));
    await expect(issueX509Svid(ca.svid, { spiffeId: STEP, spki: key, seconds: 300 })).rejects.toThrow(refused(code));
  });

  it.each([
    ['spiffe://example.com/ns/local/task/release/step/build', 'TRUST_DOMAIN_CA_MISMATCH'],
    ['spiffe://example.org.evil/x', 'TRUST_DOMAIN_CA_MISMATCH'],
    ['spiffe://sub.example.org/x', 'TRUST_DOMAIN_CA_MISMATCH'],
    ['spiffe://example.org', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/a/../b', 'SPIFFE_ID_INVALID'],
    ['spiffe://example.org/a b', 'SPIFFE_ID_INVALID'],
    ['https://example.org/a', 'SPIFFE_ID_INVALID'],
  ])('is refused for %s', async (spiffeId, code) => {
    await expect(issueSigningCertificate(ca.signing, { ...request, spiffeId })).rejects.toThrow(refused(code));
    await expect(issueX509Svid(ca.svid, { spiffeId, spki, seconds: 300 })).rejects.toThrow(refused(code));
  });

  it.each([['nothing', ''], ['too much', 'x'.repeat(2049)]])('is refused with %s in an extension', async (_, text) => {
    await expect(issueSigningCertificate(ca.signing, { ...request, attested: { 12: text } })).rejects.toThrow(refused('CERT_PROFILE'));
  });

  it('has a serial number of 158 random bits', async () => {
    const issued = await Promise.all(Array.from({ length: 20 }, () => issueSigningCertificate(ca.signing, request)));
    const serials = issued.map((certificate) => Buffer.from(certificate.serial).toString('hex'));
    expect(new Set(serials).size).toBe(20);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{39}$/);
  });
});

describe('the same clock, randomness and keys', () => {
  it('give the same certificates, byte by byte', async () => {
    const keys = new Map<string, Signer>();
    // Ed25519 signatures have no randomness of their own
    const key = (name: string): Signer => keys.get(name) ?? keys.set(name, generateSigner('ed25519')).get(name)!;
    const all = async () => {
      const made = await testCa({ trustDomain: TD, clock, rng: seededRng('again'), key });
      const { leaf } = await issueX509Svid(made.svid, { spiffeId: STEP, spki, seconds: 300 });
      await issueSigningCertificate(made.signing, request);
      const [entry] = made.ctLog.entries;
      return [made.identityRoot, made.svidCa, made.signingRoot, made.intermediate, made.tsa].map((one) => one.certificate.der).concat(leaf.der, entry!.preCertificate);
    };
    expect(await all()).toEqual(await all());
  });
});
