import { createHash } from 'node:crypto';
import { equalBytes } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { DigestName, Prehash } from '../base/ports.ts';
import { signatureAlgorithmOf } from '../der/algorithm.ts';
import { pae } from '../envelope/dsse.ts';
import type { HashedRekord } from '../envelope/hashedRekord.ts';
import { digestOf, keyDetailsOf } from '../envelope/keyDetails.ts';
import { matchSubjects } from '../envelope/subject.ts';
import { verifySignature } from '../x509/verify.ts';
import type { OpenedBundle } from './opened.ts';

/** An artifact by its digests, 32, 48 and 64 bytes. SHA-256 is always there; the others where a key needs them. */
export interface ArtifactDigests {
  readonly sha256: Uint8Array;
  readonly sha384?: Uint8Array;
  readonly sha512?: Uint8Array;
}

/** What the signature is over: a digest under the hash of the signer's key. */
export interface SignedContent {
  readonly entry: HashedRekord;
  readonly hash: DigestName;
  /** the PAE of an envelope; undefined for an artifact */
  readonly preimage: Uint8Array | undefined;
}

/** Throws ALG_NOT_ALLOWED; SUBJECT_MISMATCH where `artifact` is another one than the bundle is about. */
export function signedContent({ bundle, certificate }: OpenedBundle, artifact: ArtifactDigests | undefined): SignedContent {
  const keyDetails = keyDetailsOf(certificate.spki);
  if (keyDetails === 'PKIX_ED25519_PH') {
    throw new StepsealError('ALG_NOT_ALLOWED', 'Ed25519 and its prehashed form are told apart by name only', { expected: 'ECDSA or RSA', found: keyDetails });
  }
  const hash = digestOf(keyDetails);
  const { content } = bundle;
  const preimage = content.kind === 'dsse' ? pae(content.payloadType, content.payload) : undefined;
  const digest = preimage === undefined ? artifactDigest(content.kind === 'message' ? content.digest : undefined, hash, artifact) : createHash(hash).update(preimage).digest();
  return { hash, preimage, entry: { digest, signature: content.signature, certificate: bundle.certificate, keyDetails } };
}

function artifactDigest(stated: Uint8Array | undefined, hash: DigestName, artifact: ArtifactDigests | undefined): Uint8Array {
  if (stated !== undefined && artifact !== undefined && !equalBytes(stated, artifact.sha256)) {
    throw new StepsealError('SUBJECT_MISMATCH', 'the bundle is about another artifact', { expected: toHex(artifact.sha256), found: toHex(stated) });
  }
  const digest = hash === 'sha256' ? (artifact?.sha256 ?? stated) : artifact?.[hash];
  if (digest === undefined) throw new StepsealError('DIGEST_INVALID', `this signature is over ${hash} of the artifact`, { expected: 'the artifact itself, not only its SHA-256' });
  return digest;
}

/** Throws SIG_INVALID. */
export function checkSignature({ bundle, certificate }: OpenedBundle, { entry, hash, preimage }: SignedContent, prehash: Prehash): void {
  const { signature } = bundle.content;
  const algorithm = signatureAlgorithmOf(certificate.publicKey.algorithm);
  const good = preimage === undefined ? prehash.verify(certificate.spki, hash, entry.digest, signature) : verifySignature(certificate.spki, algorithm, preimage, signature);
  if (!good) throw new StepsealError('SIG_INVALID', 'the signature is not by the key of the certificate over this content', { found: toHex(entry.digest) });
}

/** The statement is of the type asked for and about the artifact. Throws TYPE_MISMATCH, SUBJECT_MISMATCH, DIGEST_ALG_CONFUSION. */
export function checkSubject({ statement, contentSha256 }: OpenedBundle, artifact: ArtifactDigests | undefined, predicateType: string | undefined): string {
  if (predicateType !== undefined && statement?.predicateType !== predicateType) {
    throw new StepsealError('TYPE_MISMATCH', 'the bundle does not hold the kind of statement that was asked for', { expected: predicateType, found: statement?.predicateType ?? 'a signature over an artifact' });
  }
  if (statement === undefined) return `it is about sha256:${contentSha256}`;
  if (artifact === undefined) return `a statement of ${statement.predicateType}`;
  const digests = Object.entries(artifact).filter(([, value]) => value !== undefined).map(([name, value]) => [name, toHex(value as Uint8Array)]);
  matchSubjects(statement, Object.fromEntries(digests) as Record<string, string>);
  return `a statement of ${statement.predicateType} about sha256:${toHex(artifact.sha256)}`;
}
