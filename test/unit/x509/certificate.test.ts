import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../../src/base/hex.ts';
import { boolean, encode, explicit, implicit, integer, nul, octetString, oid, sequence, time, utf8String } from '../../../src/der/write.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { certificateEvidence, evidenceExtension } from '../../../src/x509/evidence.ts';
import * as extensions from '../../../src/x509/extensions.ts';
import { fulcioValue } from '../../../src/x509/fulcio.ts';
import { describeName, distinguishedName, isEmptyName } from '../../../src/x509/names.ts';
import { EKU, EVIDENCE_OID, EXTENSION, KEY_USAGE } from '../../../src/x509/oids.ts';
import { verifySignature } from '../../../src/x509/verify.ts';
import { authority, certify, flip, leaf, NOW, testKey } from '../../fakes/pki.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const root = authority({ name: 'root', uri: 'spiffe://example.org', pathLength: 1 });
const NAME = distinguishedName({ commonName: 'x' });
const ECDSA = sequence(oid('1.2.840.10045.4.3.2'));

describe('a certificate from a template', () => {
  const digest = new Uint8Array(32).fill(7);
  const { certificate } = leaf({
    by: root,
    uris: ['spiffe://example.org/ns/a/step/b'],
    ekus: [EKU.codeSigning],
    more: [
      extensions.fulcioExtension(1, 'https://example.org'),
      extensions.fulcioExtension(8, 'https://example.org'),
      extensions.fulcioExtension(24, 'spiffe://example.org/é'),
      evidenceExtension({ custody: 'seal', attempt: 'a-1', digest }),
    ],
  });

  test('reads back with every field', () => {
    expect(certificate).toMatchObject({
      version: 3,
      notBefore: NOW - 3_600_000,
      notAfter: NOW + 3_600_000,
      signatureAlgorithm: 'ecdsa-p256-sha256',
      keyUsage: { critical: true, bits: KEY_USAGE.digitalSignature },
      extendedKeyUsage: { critical: false, oids: [EKU.codeSigning] },
      subjectAltName: { critical: true, uris: ['spiffe://example.org/ns/a/step/b'], dns: [], emails: [], undecoded: 0 },
      unknownCritical: [],
    });
    expect(isEmptyName(certificate.subject)).toBe(true);
    expect(toHex(certificate.issuer)).toBe(toHex(root.certificate.subject));
    expect(toHex(certificate.authorityKeyIdentifier!)).toBe(toHex(root.certificate.subjectKeyIdentifier!));
    expect(fulcioValue(certificate, 1)).toBe('https://example.org');
    expect(fulcioValue(certificate, 24)).toBe('spiffe://example.org/é');
    expect(fulcioValue(certificate, 9)).toBeUndefined();
    expect(certificateEvidence(certificate)).toEqual({ custody: 'seal', attempt: 'a-1', digest });
    expect(certificateEvidence(root.certificate)).toBeUndefined();
  });

  test('is what Node reads too', () => {
    const node = new X509Certificate(certificate.der);
    expect(node.subjectAltName).toBe('URI:spiffe://example.org/ns/a/step/b');
    expect(node.keyUsage).toEqual([EKU.codeSigning]);
    expect(node.ca).toBe(false);
    expect(new Date(node.validTo).getTime()).toBe(certificate.notAfter);
    expect(node.serialNumber.toLowerCase()).toBe(toHex(certificate.serial));
    expect(node.checkIssued(new X509Certificate(root.certificate.der))).toBe(true);
  });

  test('carries a signature of its issuer and of nobody else', () => {
    const { signatureAlgorithm, tbs, signature } = certificate;
    expect(verifySignature(root.key.spki, signatureAlgorithm, tbs, signature)).toBe(true);
    expect(verifySignature(testKey().spki, signatureAlgorithm, tbs, signature)).toBe(false);
    expect(verifySignature(root.key.spki, signatureAlgorithm, flip(tbs, 40), signature)).toBe(false);
  });

  test('an authority has its path length, constraints and names', () => {
    const { certificate: constrained } = authority({ pathLength: 0, permitted: ['example.org'], excluded: ['.bad.example.org'] });
    expect(constrained.basicConstraints).toEqual({ critical: true, ca: true, pathLength: 0 });
    expect(constrained.nameConstraints).toMatchObject({ critical: true, permitted: [{ host: 'example.org' }], excluded: [{ host: '.bad.example.org' }] });
    expect(describeName(constrained.subject)).toBe('O=test, CN=authority');
  });

  test('times from 2050 on are read', () => {
    const end = Date.UTC(2051, 0, 1);
    expect(certify({ name: 'late', notAfter: end, extensions: [] }).certificate.notAfter).toBe(end);
  });
});

describe('signatures', () => {
  test.each(['ecdsa-p256-sha256', 'ecdsa-p384-sha384', 'ecdsa-p521-sha512', 'ed25519', 'rsa-pkcs1-sha256'] as const)('%s verifies, and not as another algorithm', (algorithm) => {
    const key = testKey(algorithm);
    const data = Buffer.from('data');
    const signature = key.sign(data);
    expect(verifySignature(key.spki, algorithm, data, signature)).toBe(true);
    expect(verifySignature(key.spki, algorithm, data, flip(signature, signature.length - 1))).toBe(false);
    expect(verifySignature(key.spki, algorithm, data, new Uint8Array())).toBe(false);
    expect(verifySignature(key.spki, algorithm === 'ed25519' ? 'ecdsa-p256-sha256' : 'ed25519', data, signature)).toBe(false);
  });

  test('a point that is not on the curve verifies nothing', () => {
    const key = testKey();
    const data = Buffer.from('data');
    expect(verifySignature(flip(key.spki, key.spki.length - 1), key.algorithm, data, key.sign(data))).toBe(false);
  });
});

interface Parts {
  version?: Uint8Array[];
  serial?: Uint8Array;
  inner?: Uint8Array;
  outer?: Uint8Array;
  issuer?: Uint8Array;
  extensions?: Uint8Array[];
  tail?: Uint8Array[];
}

function crafted(parts: Parts): Uint8Array {
  const { version = [explicit(0, integer(2))], serial = integer(12345), inner = ECDSA, outer = ECDSA, issuer = NAME, tail = [] } = parts;
  const own = parts.extensions ? [explicit(3, sequence(...parts.extensions))] : [];
  const validity = sequence(time(NOW), time(NOW + 1000));
  const tbs = sequence(...version, serial, inner, issuer, validity, NAME, root.key.spki, ...own, ...tail);
  return sequence(tbs, outer, Uint8Array.of(3, 2, 0, 1));
}

describe('a certificate is refused as malformed', () => {
  const usage = extensions.keyUsage(1);
  test('unless it is right', () => {
    expect(parseCertificate(crafted({ extensions: [usage] })).keyUsage?.bits).toBe(1);
    expect(parseCertificate(crafted({})).extensions).toEqual([]);
  });

  test.each<[string, Parts, string]>([
    ['of version 1', { version: [] }, 'CERT_INVALID'],
    ['of version 2', { version: [explicit(0, integer(1))] }, 'CERT_INVALID'],
    ['with serial 0', { serial: integer(0) }, 'CERT_INVALID'],
    ['with a negative serial', { serial: Uint8Array.of(2, 1, 0xff) }, 'CERT_INVALID'],
    ['with a serial of 21 octets', { serial: integer(new Uint8Array(21).fill(1)) }, 'CERT_INVALID'],
    ['with two algorithms', { outer: sequence(oid('1.2.840.10045.4.3.3')) }, 'CERT_INVALID'],
    ['with NULL parameters of ECDSA', { inner: sequence(oid('1.2.840.10045.4.3.2'), nul()), outer: sequence(oid('1.2.840.10045.4.3.2'), nul()) }, 'DER_INVALID'],
    ['with an empty issuer', { issuer: sequence() }, 'CERT_INVALID'],
    ['with an empty RDN', { issuer: sequence(encode(0x31)) }, 'DER_INVALID'],
    ['with no extensions in the field', { extensions: [] }, 'CERT_INVALID'],
    ['with an extension twice', { extensions: [usage, usage] }, 'CERT_INVALID'],
    ['with 65 extensions', { extensions: Array.from({ length: 65 }, (_, index) => extensions.extension(`1.2.3.${index}`, false, nul())) }, 'CERT_INVALID'],
    ['with critical FALSE written out', { extensions: [sequence(oid('1.2.3'), boolean(false), octetString())] }, 'DER_INVALID'],
    ['with cA FALSE written out', { extensions: [extensions.extension(EXTENSION.basicConstraints, true, sequence(boolean(false)))] }, 'DER_INVALID'],
    ['with a path length outside a CA', { extensions: [extensions.extension(EXTENSION.basicConstraints, true, sequence(integer(0)))] }, 'CERT_INVALID'],
    ['with an empty EKU', { extensions: [extensions.extendedKeyUsage([])] }, 'CERT_INVALID'],
    ['with an empty SAN', { extensions: [extensions.subjectAltName({}, false)] }, 'CERT_INVALID'],
    ['with empty name constraints', { extensions: [extensions.uriNameConstraints([])] }, 'CERT_INVALID'],
    ['with a minimum in a constraint', { extensions: [extensions.extension(EXTENSION.nameConstraints, true, sequence(explicit(0, sequence(implicit(6, Buffer.from('a')), implicit(0, Uint8Array.of(1))))))] }, 'CERT_INVALID'],
    ['with a SAN that is not ASCII', { extensions: [extensions.extension(EXTENSION.subjectAltName, false, sequence(implicit(6, Uint8Array.of(0xe9))))] }, 'DER_INVALID'],
    ['with an unknown kind of name', { extensions: [extensions.extension(EXTENSION.subjectAltName, false, sequence(implicit(9, Uint8Array.of(1))))] }, 'DER_INVALID'],
    ['with bytes after an extension value', { extensions: [extensions.extension(EXTENSION.keyUsage, true, Uint8Array.of(3, 2, 7, 0x80, 0))] }, 'DER_INVALID'],
    ['with half an authority key identifier', { extensions: [extensions.extension(EXTENSION.authorityKeyIdentifier, false, sequence(implicit(2, Uint8Array.of(1))))] }, 'CERT_INVALID'],
    ['with an issuerUniqueID', { extensions: [usage], tail: [implicit(1, Uint8Array.of(0, 1))] }, 'DER_INVALID'],
    ['signed with SHA-1', { inner: sequence(oid('1.2.840.10045.4.1')), outer: sequence(oid('1.2.840.10045.4.1')) }, 'ALG_NOT_ALLOWED'],
    ['signed with SHA-1 and RSA', { inner: sequence(oid('1.2.840.113549.1.1.5'), nul()), outer: sequence(oid('1.2.840.113549.1.1.5'), nul()) }, 'ALG_NOT_ALLOWED'],
  ])('%s', (_, parts, expected) => {
    expect(() => parseCertificate(crafted(parts))).toThrow(code(expected));
  });

  test('above 64 KiB', () => {
    expect(() => parseCertificate(new Uint8Array(65_537))).toThrow(code('CERT_INVALID'));
  });

  test('critical extensions that nothing here knows are listed', () => {
    const der = crafted({ extensions: [extensions.poison(), extensions.extension('1.2.3', false, nul())] });
    expect(parseCertificate(der).unknownCritical).toEqual([EXTENSION.poison]);
  });
});

describe('names and extensions of our own', () => {
  test('a name is shown with its types, and control characters are escaped', () => {
    expect(describeName(distinguishedName({ country: 'US', organization: 'a\nb', commonName: 'é' }))).toBe('C=US, O=a\\nb, CN=é');
    expect(describeName(sequence(encode(0x31, sequence(oid('2.5.4.45'), integer(5)))))).toBe('UID=#020105');
  });

  test.each([0, 7, 25, 1.5])('there is no Fulcio extension %s', (number) => {
    expect(() => extensions.fulcioExtension(number, 'x')).toThrow(code('CERT_INVALID'));
  });

  test.each([
    ['an unknown custody', sequence(utf8String('root')), 'CERT_INVALID'],
    ['a digest of 31 bytes', sequence(utf8String('seal'), implicit(1, new Uint8Array(31))), 'CERT_INVALID'],
    ['another field', sequence(utf8String('seal'), implicit(2, new Uint8Array(3))), 'DER_INVALID'],
  ])('an evidence extension with %s is refused', (_, value, expected) => {
    const certificate = parseCertificate(crafted({ extensions: [extensions.extension(EVIDENCE_OID, false, value)] }));
    expect(() => certificateEvidence(certificate)).toThrow(code(expected));
  });
});
