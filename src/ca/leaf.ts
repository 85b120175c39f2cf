import { StepsealError } from '../base/errors.ts';
import { signatureAlgorithmIdentifier } from '../der/algorithm.ts';
import { keyIdentifier, parseSpki } from '../der/spki.ts';
import { explicit, integer, sequence, time } from '../der/write.ts';
import { parseSpiffeId } from '../spiffe/id.ts';
import { authorityKeyIdentifier, basicConstraints, keyUsage, subjectAltName, subjectKeyIdentifier } from '../x509/extensions.ts';
import { KEY_USAGE } from '../x509/oids.ts';
import type { Authority } from './authority.ts';

/** What is the same in every leaf of one issuer, encoded once. */
export interface LeafFragments {
  /** version and, after the serial, signature algorithm and issuer name */
  readonly version: Uint8Array;
  readonly issuer: readonly Uint8Array[];
  /** basic constraints, key usage, purposes, issuer's key identifier */
  readonly extensions: readonly Uint8Array[];
}

const VERSION_3 = explicit(0, integer(2));
const EMPTY_NAME = sequence();

export function leafFragments(authority: Authority, purposes: Uint8Array): LeafFragments {
  const { certificate, signer } = authority;
  return {
    version: VERSION_3,
    issuer: [signatureAlgorithmIdentifier(signer.algorithm), certificate.subject],
    extensions: [basicConstraints(false), keyUsage(KEY_USAGE.digitalSignature), purposes, authorityKeyIdentifier(keyIdentifier(signer.spki))],
  };
}

export interface LeafFields {
  readonly serial: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Uint8Array;
  readonly spiffeId: string;
}

/**
 * TBSCertificates with one set of fields: called with the extensions that come after the common ones. The subject is
 * empty, so the one URI is critical (RFC 5280 section 4.2.1.6).
 */
export function leafWriter(fragments: LeafFragments, fields: LeafFields): (extensions: readonly Uint8Array[]) => Uint8Array {
  const { spki } = fields;
  const before = [
    fragments.version,
    integer(fields.serial),
    ...fragments.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    EMPTY_NAME,
    spki,
  ];
  const common = [...fragments.extensions, subjectKeyIdentifier(keyIdentifier(spki)), subjectAltName({ uris: [fields.spiffeId] }, true)];
  return (extensions) => sequence(...before, explicit(3, sequence(...common, ...extensions)));
}

/**
 * Refuses what must not be certified, whoever asks: another trust domain, an ID without a path, a key that is not
 * allowed. Throws SPIFFE_ID_INVALID, TRUST_DOMAIN_CA_MISMATCH, DER_INVALID, ALG_NOT_ALLOWED.
 */
export function checkSubject(trustDomain: string, spiffeId: string, spki: Uint8Array): void {
  const id = parseSpiffeId(spiffeId);
  if (id.trustDomain !== trustDomain) {
    throw new StepsealError('TRUST_DOMAIN_CA_MISMATCH', 'this authority certifies its own trust domain only', { expected: trustDomain, found: id.trustDomain });
  }
  // X509-SVID section 5.2
  if (id.segments.length === 0) throw new StepsealError('SPIFFE_ID_INVALID', 'the ID of a leaf has a path', { found: spiffeId });
  parseSpki(spki);
}
