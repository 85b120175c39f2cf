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
import type { Certificate } from '../x509/certificate.ts';
import { verifySignature } from '../x509/verify.ts';
import type { OpenedBundle } from './opened.ts';

/** An artifact by its digests, 32, 48 and 64 bytes. SHA-256 is always there; the others where a key needs them. */
export interface ArtifactDigests {
  readonly sha256: Uint8Array;
  /** the whole artifact, where it is in memory anyway; makes a Prehash unnecessary */
  readonly bytes?: Uint8Array;
  readonly sha384?: Uint8Array;
  readonly sha512?: Uint8Array;
}

/** Digests of an artifact that is in memory. */
export function artifactOf(bytes: Uint8Array): ArtifactDigests {
  const digest = (hash: DigestName): Uint8Array => createHash(hash).update(bytes).digest();
  return { bytes, sha256: digest('sha256'), sha384: digest('sha384'), sha512: digest('sha512') };
}

/** What the signature is over: a digest under the hash of the signer's key. */
export interface SignedContent {
  readonly entry: HashedRekord;
  readonly hash: DigestName;
  /** the PAE of an envelope, or the artifact; undefined where only its digest is known */
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
  const sign = (digest: Uint8Array, preimage: Uint8Array | undefined): SignedContent => ({ hash, preimage, entry: { digest, signature: content.signature, certificate: bundle.certificate, keyDetails } });
  if (content.kind === 'message') return sign(artifactDigest(content.digest, hash, artifact), artifact?.bytes);
  const preimage = pae(content.payloadType, content.payload);
  return sign(createHash(hash).update(preimage).digest(), preimage);
}

function artifactDigest(stated: Uint8Array, hash: DigestName, artifact: ArtifactDigests | undefined): Uint8Array {
  if (artifact !== undefined && !equalBytes(stated, artifact.sha256)) {
    throw new StepsealError('SUBJECT_MISMATCH', 'the bundle is about another artifact', { expected: toHex(artifact.sha256), found: toHex(stated) });
  }
  const digest = hash === 'sha256' ? (artifact?.sha256 ?? stated) : artifact?.[hash];
  if (digest === undefined) throw new StepsealError('DIGEST_INVALID', `this signature is over ${hash} of the artifact`, { expected: 'the artifact itself, not only its SHA-256' });
  return digest;
}

/** Throws SIG_INVALID; ARTIFACT_REQUIRED where only a digest is known and there is no Prehash. */
export function checkSignature({ bundle, certificate }: OpenedBundle, content: SignedContent, prehash: Prehash | undefined): void {
  if (signatureHolds(certificate, bundle.content.signature, content, prehash)) return;
  throw new StepsealError('SIG_INVALID', 'the signature is not by the key of the certificate over this content', { found: toHex(content.entry.digest) });
}

function signatureHolds({ spki, publicKey }: Certificate, signature: Uint8Array, { hash, preimage, entry }: SignedContent, prehash: Prehash | undefined): boolean {
  if (preimage !== undefined) return verifySignature(spki, signatureAlgorithmOf(publicKey.algorithm), preimage, signature);
  if (prehash !== undefined) return prehash.verify(spki, hash, entry.digest, signature);
  throw new StepsealError('ARTIFACT_REQUIRED', 'a digest alone cannot be verified here', { expected: 'the bytes of the artifact, or a Prehash' });
}

/** The statement is of the type asked for and about the artifact. Throws TYPE_MISMATCH, SUBJECT_MISMATCH, DIGEST_ALG_CONFUSION. */
export function checkSubject({ statement, contentSha256 }: OpenedBundle, artifact: ArtifactDigests | undefined, predicateType: string | undefined): string {
  if (predicateType !== undefined && statement?.predicateType !== predicateType) {
    throw new StepsealError('TYPE_MISMATCH', 'the bundle does not hold the kind of statement that was asked for', { expected: predicateType, found: statement?.predicateType ?? 'a signature over an artifact' });
  }
  if (statement === undefined) return `it is about sha256:${contentSha256}`;
  if (artifact === undefined) return `a statement of ${statement.predicateType}`;
  const { sha256, sha384, sha512 } = artifact;
  matchSubjects(statement, { sha256: toHex(sha256), ...(sha384 && { sha384: toHex(sha384) }), ...(sha512 && { sha512: toHex(sha512) }) });
  return `a statement of ${statement.predicateType} about sha256:${toHex(sha256)}`;
}
