import { StepsealError } from '../base/errors.ts';
import type { DigestName } from '../base/ports.ts';
import { bytesOf, children, fields, type DerNode } from '../der/read.ts';
import { TAG } from '../der/tags.ts';
import { asNull, asOctetString, asOid } from '../der/values.ts';
import { octetString, oid, sequence } from '../der/write.ts';

/** MessageImprint (RFC 3161 section 2.4.1). */
export interface Imprint {
  readonly hash: DigestName;
  readonly digest: Uint8Array;
  /** as it was written, which a response repeats */
  readonly der: Uint8Array;
}

const HASHES: readonly { readonly name: DigestName; readonly oid: string; readonly length: number }[] = [
  { name: 'sha256', oid: '2.16.840.1.101.3.4.2.1', length: 32 },
  { name: 'sha384', oid: '2.16.840.1.101.3.4.2.2', length: 48 },
  { name: 'sha512', oid: '2.16.840.1.101.3.4.2.3', length: 64 },
];

/** AlgorithmIdentifier of a hash, without parameters (RFC 5754 section 2). */
export function hashIdentifier(name: DigestName): Uint8Array {
  return sequence(oid(HASHES.find((each) => each.name === name)!.oid));
}

/** Parameters absent or NULL (RFC 5754 section 2). Throws ALG_NOT_ALLOWED for SHA-1 and others, DER_INVALID. */
export function parseHashIdentifier(node: DerNode, what: string): DigestName {
  const [identifier, parameters, extra] = children(node, TAG.sequence, what);
  if (!identifier || extra) throw new StepsealError('DER_INVALID', `${what} is malformed`);
  if (parameters) asNull(parameters, `the parameters of ${what}`);
  const dotted = asOid(identifier, what);
  const known = HASHES.find((each) => each.oid === dotted);
  if (!known) throw new StepsealError('ALG_NOT_ALLOWED', `${what} is not allowed`, { expected: 'SHA-256, SHA-384 or SHA-512', found: dotted });
  return known.name;
}

/** `digest` is the `hash` of what is stamped. Throws TIMESTAMP_INVALID for a wrong length. */
export function imprintOf(hash: DigestName, digest: Uint8Array): Imprint {
  assertLength(hash, digest);
  return { hash, digest, der: sequence(hashIdentifier(hash), octetString(digest)) };
}

/** Throws ALG_NOT_ALLOWED, DER_INVALID, TIMESTAMP_INVALID. */
export function parseImprint(node: DerNode): Imprint {
  const parts = fields(node, 'messageImprint');
  const hash = parseHashIdentifier(parts.any('hashAlgorithm'), 'hashAlgorithm');
  const digest = asOctetString(parts.any('hashedMessage'), 'hashedMessage');
  parts.end();
  assertLength(hash, digest);
  return { hash, digest, der: bytesOf(node) };
}

function assertLength(hash: DigestName, digest: Uint8Array): void {
  const { length } = HASHES.find((each) => each.name === hash)!;
  if (digest.length !== length) throw new StepsealError('TIMESTAMP_INVALID', 'the imprint is not a digest of its algorithm', { expected: `${length} bytes`, found: String(digest.length) });
}
