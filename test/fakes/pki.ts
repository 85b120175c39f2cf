import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import type { SignatureAlgorithm } from '../../src/base/ports.ts';
import { keyIdentifier } from '../../src/der/spki.ts';
import { integer } from '../../src/der/write.ts';
import { parseCertificate, type Certificate } from '../../src/x509/certificate.ts';
import * as extensions from '../../src/x509/extensions.ts';
import { distinguishedName } from '../../src/x509/names.ts';
import { EKU, KEY_USAGE } from '../../src/x509/oids.ts';
import { assembleCertificate, tbsCertificate } from '../../src/x509/template.ts';

/** A small certificate authority for tests that can break every rule; all times are around NOW. */
export const NOW = Date.UTC(2026, 2, 4, 5, 6, 7);
const HOUR = 3_600_000;

export interface TestKey {
  readonly algorithm: SignatureAlgorithm;
  readonly spki: Uint8Array;
  readonly privateKey: KeyObject;
  sign(data: Uint8Array): Uint8Array;
}

const HASH: Record<SignatureAlgorithm, string | null> = {
  'ecdsa-p256-sha256': 'sha256', 'ecdsa-p384-sha384': 'sha384', 'ecdsa-p521-sha512': 'sha512', ed25519: null, 'rsa-pkcs1-sha256': 'sha256',
};

function keyPair(algorithm: SignatureAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (algorithm) {
    case 'ed25519':
      return generateKeyPairSync('ed25519');
    case 'rsa-pkcs1-sha256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    default:
      return generateKeyPairSync('ec', { namedCurve: { 'ecdsa-p256-sha256': 'P-256', 'ecdsa-p384-sha384': 'P-384', 'ecdsa-p521-sha512': 'P-521' }[algorithm] });
  }
}

export function testKey(algorithm: SignatureAlgorithm = 'ecdsa-p256-sha256'): TestKey {
  const { publicKey, privateKey } = keyPair(algorithm);
  return { algorithm, spki: spkiOf(publicKey), privateKey, sign: (data) => sign(HASH[algorithm], data, privateKey) };
}

export function spkiOf(key: KeyObject): Uint8Array {
  return key.export({ format: 'der', type: 'spki' });
}

/** A certificate with its key. */
export interface Holder {
  readonly certificate: Certificate;
  readonly key: TestKey;
}

export interface Shape {
  /** itself when absent */
  readonly by?: Holder;
  readonly key?: TestKey;
  /** common name; '' for an empty subject */
  readonly name: string;
  readonly extensions: readonly Uint8Array[];
  readonly serial?: Uint8Array;
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** ms, from an hour before NOW */
  readonly life?: number;
}

// a leaf that is made without an issuer still names one
const NOBODY = distinguishedName({ commonName: 'nobody' });

let serial = 0;

export function certify(shape: Shape): Holder {
  const key = shape.key ?? testKey();
  const signer = shape.by?.key ?? key;
  const subject = distinguishedName(shape.name === '' ? {} : { organization: 'test', commonName: shape.name });
  const notBefore = shape.notBefore ?? NOW - HOUR;
  const tbs = tbsCertificate({
    serial: shape.serial ?? Buffer.concat([Buffer.alloc(12, 0x51), integer(++serial)]),
    algorithm: signer.algorithm,
    issuer: shape.by?.certificate.subject ?? (shape.name === '' ? NOBODY : subject),
    subject,
    notBefore,
    notAfter: shape.notAfter ?? notBefore + (shape.life ?? 2 * HOUR),
    spki: key.spki,
    extensions: [
      ...shape.extensions,
      extensions.subjectKeyIdentifier(keyIdentifier(key.spki)),
      ...(shape.by ? [extensions.authorityKeyIdentifier(keyIdentifier(shape.by.key.spki))] : []),
    ],
  });
  return { certificate: parseCertificate(assembleCertificate(tbs, signer.algorithm, signer.sign(tbs))), key };
}

type Rest = Partial<Shape> & { readonly more?: readonly Uint8Array[] };

/** An authority; `uri` is its SPIFFE ID, none when absent. */
export function authority(options: { pathLength?: number; uri?: string; permitted?: string[]; excluded?: string[]; ekus?: string[]; usage?: number } & Rest): Holder {
  const { pathLength, uri, permitted, excluded, ekus, usage, more = [], ...rest } = options;
  return certify({
    name: 'authority',
    ...rest,
    extensions: [
      extensions.basicConstraints(true, pathLength),
      extensions.keyUsage(usage ?? KEY_USAGE.keyCertSign | KEY_USAGE.crlSign),
      ...(ekus ? [extensions.extendedKeyUsage(ekus)] : []),
      ...(permitted || excluded ? [extensions.uriNameConstraints(permitted ?? [], excluded ?? [])] : []),
      ...(uri === undefined ? [] : [extensions.subjectAltName({ uris: [uri] }, false)]),
      ...more,
    ],
  });
}

export const SVID_EKUS = [EKU.serverAuth, EKU.clientAuth];

/** An end certificate with an empty subject: an X509-SVID unless told otherwise. */
export function leaf(options: { uris?: string[]; dns?: string[]; ekus?: string[] | null; usage?: number | null } & Rest): Holder {
  const { uris = ['spiffe://example.org/ns/a'], dns = [], ekus = SVID_EKUS, usage = KEY_USAGE.digitalSignature, more = [], ...rest } = options;
  return certify({
    name: '',
    ...rest,
    extensions: [
      ...(usage === null ? [] : [extensions.keyUsage(usage)]),
      ...(ekus === null ? [] : [extensions.extendedKeyUsage(ekus)]),
      ...(uris.length + dns.length === 0 ? [] : [extensions.subjectAltName({ uris, dns }, (rest.name ?? '') === '')]),
      ...more,
    ],
  });
}

/** A timestamp authority's certificate. */
export function tsaLeaf(options: Rest): Holder {
  const { more = [], ...rest } = options;
  return certify({ name: 'tsa', ...rest, extensions: [extensions.keyUsage(KEY_USAGE.digitalSignature), extensions.extendedKeyUsage([EKU.timeStamping], true), ...more] });
}

/** A copy with one bit changed. */
export function flip(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 1 << bit;
  return copy;
}
