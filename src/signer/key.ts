import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { sha256 } from '../base/bytes.ts';
import type { Prehash } from '../base/ports.ts';

const generate = promisify(generateKeyPair);

/** A P-256 key for one Seal: it lives in memory, signs digests, and is never written anywhere. */
export interface SealKey {
  /** SubjectPublicKeyInfo, DER */
  readonly spki: Uint8Array;
  /** ECDSA over a SHA-256 digest; DER SEQUENCE(r, s) */
  signDigest(digest: Uint8Array): Uint8Array;
  /** ECDSA over SHA-256 of the data */
  sign(data: Uint8Array): Uint8Array;
}

export async function createSealKey(prehash: Prehash): Promise<SealKey> {
  const { publicKey, privateKey } = await generate('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
  const signDigest = (digest: Uint8Array): Uint8Array => prehash.sign(privateKey, 'sha256', digest);
  return { spki: publicKey, signDigest, sign: (data) => signDigest(sha256(data)) };
}
