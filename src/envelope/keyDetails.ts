import { parseSpki } from '../der/spki.ts';
import { StepsealError } from '../base/errors.ts';
import type { DigestName } from '../base/ports.ts';

/** dev.sigstore.common.v1.PublicKeyDetails, by its names: those of artifact signatures that a Rekor v2 log takes. */
const SIGNING_DETAILS = {
  PKIX_ECDSA_P256_SHA_256: 'sha256',
  PKIX_ECDSA_P384_SHA_384: 'sha384',
  PKIX_ECDSA_P521_SHA_512: 'sha512',
  PKIX_ED25519_PH: 'sha512',
  PKIX_RSA_PKCS1V15_2048_SHA256: 'sha256',
  PKIX_RSA_PKCS1V15_3072_SHA256: 'sha256',
  PKIX_RSA_PKCS1V15_4096_SHA256: 'sha256',
} as const satisfies Record<string, DigestName>;

export type KeyDetails = keyof typeof SIGNING_DETAILS;

export function isKeyDetails(text: string): text is KeyDetails {
  return Object.hasOwn(SIGNING_DETAILS, text);
}

/** The hash that a signature of this kind is over. */
export function digestOf(details: KeyDetails): DigestName {
  return SIGNING_DETAILS[details];
}

/**
 * The one kind of signature that keys of this SubjectPublicKeyInfo (DER) make, as Sigstore's registry defaults it;
 * Ed25519 is the prehashed form, as a log sees digests only. Throws ALG_NOT_ALLOWED, DER_INVALID.
 */
export function keyDetailsOf(spki: Uint8Array): KeyDetails {
  const { algorithm, rsaBits } = parseSpki(spki);
  switch (algorithm) {
    case 'ecdsa-p256':
      return 'PKIX_ECDSA_P256_SHA_256';
    case 'ecdsa-p384':
      return 'PKIX_ECDSA_P384_SHA_384';
    case 'ecdsa-p521':
      return 'PKIX_ECDSA_P521_SHA_512';
    case 'ed25519':
      return 'PKIX_ED25519_PH';
    case 'rsa': {
      const details = `PKIX_RSA_PKCS1V15_${rsaBits}_SHA256`;
      if (isKeyDetails(details)) return details;
      throw new StepsealError('ALG_NOT_ALLOWED', 'an RSA key of a size that Sigstore has no name for', { expected: '2048, 3072 or 4096 bits', found: `${rsaBits} bits` });
    }
  }
}

const HASH_NAMES = { sha256: ['SHA2_256', 32], sha384: ['SHA2_384', 48], sha512: ['SHA2_512', 64] } as const satisfies Record<DigestName, readonly [string, number]>;

/** dev.sigstore.common.v1.HashAlgorithm by name, and the digest's length in bytes. */
export function hashName(hash: DigestName): string {
  return HASH_NAMES[hash][0];
}

export function hashLength(hash: DigestName): number {
  return HASH_NAMES[hash][1];
}

/** The hash of that name; undefined for others. */
export function hashOfName(name: string): DigestName | undefined {
  return (Object.keys(HASH_NAMES) as DigestName[]).find((hash) => HASH_NAMES[hash][0] === name);
}

/** SHA-256, SHA-384 or SHA-512, told by the digest's length. Throws DIGEST_INVALID. */
export function hashOfDigest(digest: Uint8Array): DigestName {
  const hash = (Object.keys(HASH_NAMES) as DigestName[]).find((name) => HASH_NAMES[name][1] === digest.length);
  if (hash === undefined) throw new StepsealError('DIGEST_INVALID', 'a digest of another length', { expected: '32, 48 or 64 bytes', found: `${digest.length} bytes` });
  return hash;
}
