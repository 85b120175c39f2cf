import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, X509Certificate as NodeCertificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import { X509Certificate as PeculiarCertificate } from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certifyAuthority } from '../../../src/ca/authority.ts';
import { leafFragments, leafWriter } from '../../../src/ca/leaf.ts';
import { serialNumber } from '../../../src/ca/serial.ts';
import { issueSigningCertificate } from '../../../src/ca/signing.ts';
import { issueX509Svid } from '../../../src/ca/svid.ts';
import { encodePem } from '../../../src/der/pem.ts';
import { generateSigner } from '../../../src/keys/signer.ts';
import { parseCertificate, type Certificate } from '../../../src/x509/certificate.ts';
import { extendedKeyUsage } from '../../../src/x509/extensions.ts';
import { lintCertificate, type Profile } from '../../../src/x509/lint.ts';
import { EKU } from '../../../src/x509/oids.ts';
import { verifyCertificateChain } from '../../../src/x509/path.ts';
import { assembleCertificate } from '../../../src/x509/template.ts';
import { seededRng, testCa, type TestCa } from '../../fakes/ca.ts';

const TD = 'example.org';
const NOW = Date.parse('2026-03-01T12:00:00Z');
const STEP = `spiffe://${TD}/ns/local/task/release/step/build`;
const clock = { now: () => NOW };
const rng = seededRng('profiles');
const { spki } = generateSigner('ecdsa-p256-sha256');

let ca: TestCa;
const certificates = {} as Record<Profile, Certificate>;
const PROFILES: readonly Profile[] = ['identity-root', 'svid-ca', 'svid', 'signing-root', 'signing-intermediate', 'signing', 'tsa'];
const issuers: Record<Profile, Profile> = {
  'identity-root': 'identity-root', 'svid-ca': 'identity-root', svid: 'svid-ca',
  'signing-root': 'signing-root', 'signing-intermediate': 'signing-root', signing: 'signing-intermediate', tsa: 'signing-root',
};

beforeAll(async () => {
  ca = await testCa({ trustDomain: TD, clock, rng });
  certificates['identity-root'] = ca.identityRoot.certificate;
  certificates['svid-ca'] = ca.svidCa.certificate;
  certificates.svid = (await issueX509Svid(ca.svid, { spiffeId: STEP, spki, seconds: 300 })).leaf;
  certificates['signing-root'] = ca.signingRoot.certificate;
  certificates['signing-intermediate'] = ca.intermediate.certificate;
  certificates.signing = await issueSigningCertificate(ca.signing, { spiffeId: STEP, spki, evidence: { custody: 'seal' } });
  certificates.tsa = ca.tsa.certificate;
});

/** A leaf that the CA would never issue, by its real key. */
async function forged(spiffeId: string): Promise<Certificate> {
  const { signer } = ca.intermediate;
  const fragments = leafFragments(ca.intermediate, extendedKeyUsage([EKU.codeSigning]));
  const tbs = leafWriter(fragments, { serial: serialNumber(rng), notBefore: NOW, notAfter: NOW + 60_000, spki, spiffeId })([]);
  return parseCertificate(assembleCertificate(tbs, signer.algorithm, await signer.sign(tbs)));
}

describe.each(PROFILES)('the profile %s', (profile) => {
  it('passes its own lint, and no other profile’s', () => {
    lintCertificate(certificates[profile], profile);
    // the two roots differ in name and use, not in form
    const alike = profile.endsWith('-root') ? ['identity-root', 'signing-root'] : [profile];
    for (const other of PROFILES.filter((one) => !alike.includes(one))) {
      expect(() => lintCertificate(certificates[profile], other)).toThrow(expect.objectContaining({ code: expect.any(String) as string }));
    }
  });

  it('is read by Node as we mean it, issued by its issuer', () => {
    const certificate = new NodeCertificate(certificates[profile].der);
    const issuer = new NodeCertificate(certificates[issuers[profile]].der);
    const authority = !['svid', 'signing', 'tsa'].includes(profile);
    expect(certificate.ca).toBe(authority);
    expect(certificate.checkIssued(issuer)).toBe(true);
    expect(certificate.verify(issuer.publicKey)).toBe(true);
    if (profile !== 'tsa') expect(certificate.subjectAltName).toBe(`URI:${authority ? `spiffe://${TD}` : STEP}`);
  });

  it('is read by @peculiar/x509 as we mean it', async () => {
    const certificate = new PeculiarCertificate(certificates[profile].der);
    const issuer = new PeculiarCertificate(certificates[issuers[profile]].der);
    expect(await certificate.verify({ publicKey: issuer.publicKey, date: new Date(NOW) })).toBe(true);
    expect(certificate.extensions.map((extension) => extension.type)).toEqual(certificates[profile].extensions.map((extension) => extension.oid));
    expect(certificate.notAfter.getTime()).toBe(certificates[profile].notAfter);
  });
});

describe('the lint refuses a certificate that differs from its profile in one thing', () => {
  const change: readonly [Profile, string, (certificate: Certificate) => Partial<Record<keyof Certificate, unknown>>][] = [
    ['svid', 'no key usage', () => ({ keyUsage: undefined })],
    ['svid', 'a key usage that is not critical', ({ keyUsage }) => ({ keyUsage: { ...keyUsage!, critical: false } })],
    ['svid', 'keyCertSign', ({ keyUsage }) => ({ keyUsage: { ...keyUsage!, bits: keyUsage!.bits | 32 } })],
    ['svid', 'serverAuth alone', () => ({ extendedKeyUsage: { critical: false, oids: [EKU.serverAuth] } })],
    ['svid', 'an authority’s basic constraints', () => ({ basicConstraints: { critical: true, ca: true } })],
    ['svid', 'no authority key identifier', () => ({ authorityKeyIdentifier: undefined })],
    ['svid', 'a subjectAltName that is not critical', ({ subjectAltName }) => ({ subjectAltName: { ...subjectAltName!, critical: false } })],
    ['svid', 'an e-mail address', ({ subjectAltName }) => ({ subjectAltName: { ...subjectAltName!, emails: ['a@example.org'] } })],
    ['svid', 'a life of a day', ({ notBefore }) => ({ notAfter: notBefore + 86_400_000 })],
    ['svid', 'no life', ({ notBefore }) => ({ notAfter: notBefore })],
    ['signing', 'one more purpose', () => ({ extendedKeyUsage: { critical: false, oids: [EKU.codeSigning, EKU.serverAuth] } })],
    ['signing', 'a DNS name', ({ subjectAltName }) => ({ subjectAltName: { ...subjectAltName!, dns: ['example.org'] } })],
    ['signing', 'a life of an hour', ({ notBefore }) => ({ notAfter: notBefore + 3_600_000 })],
    ['signing', 'no SCT', ({ extensions }) => ({ extensions: extensions.filter(({ oid }) => oid !== '1.3.6.1.4.1.11129.2.4.2') })],
    ['signing', 'no issuer', ({ extensions }) => ({ extensions: extensions.filter(({ oid }) => !oid.endsWith('57264.1.8')) })],
    ['signing', 'no evidence', ({ extensions }) => ({ extensions: extensions.filter(({ oid }) => !oid.startsWith('2.25.')) })],
    ['signing', 'an unknown critical extension', () => ({ unknownCritical: ['1.2.3'] })],
    ['signing', 'a short serial number', () => ({ serial: Uint8Array.of(1) })],
    ['signing', 'the identifier of another key', () => ({ subjectKeyIdentifier: new Uint8Array(20) })],
    ['signing', 'an OID component that Go cannot read', ({ extensions }) => ({ extensions: [...extensions, { oid: '2.25.2147483648', critical: false, value: new Uint8Array() }] })],
    ['signing-intermediate', 'no name constraint', () => ({ nameConstraints: undefined })],
    ['signing-intermediate', 'a name constraint that is not critical', ({ nameConstraints }) => ({ nameConstraints: { ...nameConstraints!, critical: false } })],
    ['signing-intermediate', 'a wider name constraint', ({ nameConstraints }) => ({
      nameConstraints: { ...nameConstraints!, permitted: [{ ...nameConstraints!.permitted[0]!, host: 'org' }] },
    })],
    ['signing-intermediate', 'room for another authority', () => ({ basicConstraints: { critical: true, ca: true, pathLength: 1 } })],
    ['signing-intermediate', 'no purpose', () => ({ extendedKeyUsage: undefined })],
    ['svid-ca', 'no path length', () => ({ basicConstraints: { critical: true, ca: true } })],
    ['svid-ca', 'a life of a year', ({ notBefore }) => ({ notAfter: notBefore + 365 * 86_400_000 })],
    ['identity-root', 'a purpose', () => ({ extendedKeyUsage: { critical: false, oids: [EKU.codeSigning] } })],
    ['identity-root', 'no identity', () => ({ subjectAltName: undefined })],
    ['signing-root', 'digitalSignature', ({ keyUsage }) => ({ keyUsage: { ...keyUsage!, bits: keyUsage!.bits | 1 } })],
    ['tsa', 'a purpose that is not critical', () => ({ extendedKeyUsage: { critical: false, oids: [EKU.timeStamping] } })],
    ['tsa', 'one more purpose', () => ({ extendedKeyUsage: { critical: true, oids: [EKU.timeStamping, EKU.codeSigning] } })],
  ];
  it.each(change)('%s: %s', (profile, _, altered) => {
    const broken = { ...certificates[profile], ...altered(certificates[profile]) } as Certificate;
    expect(() => lintCertificate(broken, profile)).toThrow(expect.objectContaining({ code: 'CERT_PROFILE' }));
  });

  it('an authority with a path in its ID', () => {
    const { subjectAltName } = certificates['svid-ca'];
    const broken = { ...certificates['svid-ca'], subjectAltName: { ...subjectAltName!, uris: [STEP] } };
    expect(() => lintCertificate(broken, 'svid-ca')).toThrow(expect.objectContaining({ code: 'SPIFFE_ID_INVALID' }));
  });

  it('a signing certificate with two identities', () => {
    const { subjectAltName } = certificates.signing;
    const broken = { ...certificates.signing, subjectAltName: { ...subjectAltName!, uris: [STEP, STEP] } };
    expect(() => lintCertificate(broken, 'signing')).toThrow(expect.objectContaining({ code: 'SAN_MULTIPLE_URI' }));
  });
});

describe('authorities', () => {
  it('have names that differ with their keys, so that two of one trust domain are never confused', async () => {
    const other = await testCa({ trustDomain: TD, clock, rng });
    expect(other.signingRoot.certificate.subject).not.toEqual(ca.signingRoot.certificate.subject);
  });

  it.each(['my_domain', '127.0.0.1', '-x.org', 'a..b'])('are refused for the trust domain %s, which no URI constraint can hold', async (trustDomain) => {
    const making = certifyAuthority('signing-root', { trustDomain, signer: generateSigner('ecdsa-p256-sha256'), now: NOW, rng });
    await expect(making).rejects.toThrow(expect.objectContaining({ code: 'TRUST_DOMAIN_NOT_CONSTRAINABLE' }));
  });

  it('do not outlive their issuer', async () => {
    const now = ca.signingRoot.certificate.notAfter - 86_400_000;
    const { certificate } = await certifyAuthority('tsa', { trustDomain: TD, signer: ca.tsa.signer, issuer: ca.signingRoot, now, rng });
    expect(certificate.notAfter).toBe(ca.signingRoot.certificate.notAfter);
    const late = certifyAuthority('tsa', { trustDomain: TD, signer: ca.tsa.signer, issuer: ca.signingRoot, now: now + 2 * 86_400_000, rng });
    await expect(late).rejects.toThrow(expect.objectContaining({ code: 'CA_EXPIRED' }));
  });

  it('are not given out when the key signs wrongly', async () => {
    const signer = { ...generateSigner('ecdsa-p256-sha256'), spki };
    await expect(certifyAuthority('signing-root', { trustDomain: TD, signer, now: NOW, rng })).rejects.toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  it('carry keys that Node can import', () => {
    for (const profile of PROFILES) createPublicKey({ key: Buffer.from(certificates[profile].spki), format: 'der', type: 'spki' });
  });
});

describe('the name constraint of the signing intermediate', () => {
  it.each(['spiffe://example.com/x', 'spiffe://example.org.evil/x', 'spiffe://sub.example.org/x'])('holds against %s', async (spiffeId) => {
    const leaf = await forged(spiffeId);
    const check = () =>
      verifyCertificateChain({ leaf, intermediates: [ca.intermediate.certificate], roots: [ca.signingRoot.certificate], time: NOW, purpose: 'signing' });
    expect(check).toThrow(expect.objectContaining({ code: expect.stringMatching(/^(NAME_CONSTRAINT|TRUST_DOMAIN_CA_MISMATCH)$/) as string }));
  });
});

const openssl = spawnSync('openssl', ['version'], { encoding: 'utf8' });
const absent = openssl.status !== 0 || !openssl.stdout.startsWith('OpenSSL 3');

describe.skipIf(absent)('OpenSSL 3 (skipped where it is not installed)', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'stepseal-openssl-'));
    for (const profile of PROFILES) writeFileSync(join(folder, profile), encodePem('CERTIFICATE', certificates[profile].der));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const verify = (root: Profile, leaf: string, purpose: string, untrusted?: Profile) =>
    spawnSync('openssl', [
      'verify', '-x509_strict', '-check_ss_sig', '-attime', String(NOW / 1000), '-purpose', purpose, '-CAfile', join(folder, root),
      ...(untrusted ? ['-untrusted', join(folder, untrusted)] : []), join(folder, leaf),
    ], { encoding: 'utf8' });

  it.each([
    ['svid', 'sslserver', 'identity-root', 'svid-ca'],
    ['svid', 'sslclient', 'identity-root', 'svid-ca'],
    ['signing', 'any', 'signing-root', 'signing-intermediate'],
    ['tsa', 'timestampsign', 'signing-root', undefined],
    ['svid-ca', 'any', 'identity-root', undefined],
    ['signing-intermediate', 'any', 'signing-root', undefined],
    ['identity-root', 'any', 'identity-root', undefined],
    ['signing-root', 'any', 'signing-root', undefined],
  ] as const)('accepts %s for %s', (leaf, purpose, root, untrusted) => {
    const { status, stderr } = verify(root, leaf, purpose, untrusted);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it.each([
    ['svid', 'timestampsign', 'identity-root', 'svid-ca'],
    ['signing', 'sslserver', 'signing-root', 'signing-intermediate'],
    ['signing', 'any', 'identity-root', 'svid-ca'],
    ['svid', 'any', 'signing-root', 'signing-intermediate'],
  ] as const)('refuses %s for %s below %s', (leaf, purpose, root, untrusted) => {
    expect(verify(root, leaf, purpose, untrusted).status).not.toBe(0);
  });

  it('refuses a leaf of another trust domain, by the name constraint', async () => {
    writeFileSync(join(folder, 'forged'), encodePem('CERTIFICATE', (await forged('spiffe://example.com/x')).der));
    const { status, stderr } = verify('signing-root', 'forged', 'any', 'signing-intermediate');
    expect(status).not.toBe(0);
    expect(stderr).toContain('permitted subtree violation');
    writeFileSync(join(folder, 'forged'), encodePem('CERTIFICATE', (await forged(`spiffe://${TD}/x`)).der));
    expect(verify('signing-root', 'forged', 'any', 'signing-intermediate').stderr).toBe('');
  });

  it('prints the signing certificate as Fulcio’s specification describes it', () => {
    const text = execFileSync('openssl', ['x509', '-noout', '-text', '-in', join(folder, 'signing')], { encoding: 'utf8' });
    expect(text).toContain(`X509v3 Subject Alternative Name: critical\n                URI:${STEP}`);
    expect(text).toContain('X509v3 Extended Key Usage: \n                Code Signing\n');
    expect(text).toContain('X509v3 Key Usage: critical\n                Digital Signature\n');
    expect(text).toMatch(/CT Precertificate SCTs:[\s\S]*Timestamp : Mar {2}1 12:00:00.000 2026 GMT/);
  });
});
