/** Wall clock; owned by the composition root. */
export interface Clock {
  /** ms since the epoch; may jump both ways */
  now(): number;
}

/** Cryptographically strong randomness. */
export interface Rng {
  bytes(length: number): Uint8Array;
}

export type SignatureAlgorithm = 'ecdsa-p256-sha256' | 'ecdsa-p384-sha384' | 'ecdsa-p521-sha512' | 'ed25519' | 'rsa-pkcs1-sha256';

/**
 * A private key somewhere: a file, later a token or a KMS. `sign` hashes the data itself (except Ed25519) and returns
 * the signature as X.509 carries it: ECDSA as DER SEQUENCE(r, s). Concurrent calls are allowed.
 */
export interface Signer {
  readonly algorithm: SignatureAlgorithm;
  /** SubjectPublicKeyInfo, DER */
  readonly spki: Uint8Array;
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

export type DigestName = 'sha256' | 'sha384' | 'sha512';

/** Verifies signatures over a digest that is already computed, which node:crypto cannot. Pure; false for a bad signature, never a throw for hostile bytes. */
export interface Prehash {
  verify(spki: Uint8Array, hash: DigestName, digest: Uint8Array, signature: Uint8Array): boolean;
  /** ECDSA over a digest by a PKCS#8 DER key; the signature is DER SEQUENCE(r, s). */
  sign(pkcs8: Uint8Array, hash: DigestName, digest: Uint8Array): Uint8Array;
}
