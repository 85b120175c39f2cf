import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { SignatureAlgorithm } from '../base/ports.ts';
import { signatureAlgorithmOf } from '../der/algorithm.ts';
import { parseSpki } from '../der/spki.ts';

const HASHES: Record<SignatureAlgorithm, string | null> = {
  'ecdsa-p256-sha256': 'sha256',
  'ecdsa-p384-sha384': 'sha384',
  'ecdsa-p521-sha512': 'sha512',
  ed25519: null,
  'rsa-pkcs1-sha256': 'sha256',
};

interface Imported {
  readonly key: KeyObject;
  readonly algorithm: SignatureAlgorithm;
}

// importing a key costs as much as a verification; issuers and logs come again and again, leaf keys pass through
const CACHE_SIZE = 512;
const cache = new Map<string, Imported>();

/**
 * Whether `signature` over `data` is by the key `spki` (DER). ECDSA signatures are DER SEQUENCE(r, s). False for a bad signature,
 * for an algorithm that is not the one of this kind of key (signatureAlgorithmOf), and for a point off its curve.
 * Throws DER_INVALID or ALG_NOT_ALLOWED for a key that parseSpki refuses.
 */
export function verifySignature(spki: Uint8Array, algorithm: SignatureAlgorithm, data: Uint8Array, signature: Uint8Array): boolean {
  const imported = importKey(spki);
  return imported !== undefined && imported.algorithm === algorithm && verify(HASHES[algorithm], data, imported.key, signature);
}

function importKey(spki: Uint8Array): Imported | undefined {
  const id = Buffer.from(spki.buffer, spki.byteOffset, spki.length).toString('latin1');
  const hit = cache.get(id);
  if (hit) {
    cache.delete(id);
    cache.set(id, hit);
    return hit;
  }
  const { algorithm } = parseSpki(spki);
  const key = publicKeyOf(spki);
  if (!key) return undefined;
  const imported = { key, algorithm: signatureAlgorithmOf(algorithm) };
  if (cache.size >= CACHE_SIZE) cache.delete(cache.keys().next().value!);
  cache.set(id, imported);
  return imported;
}

function publicKeyOf(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki.buffer, spki.byteOffset, spki.length), format: 'der', type: 'spki' });
  } catch {
    // the form was checked before: what OpenSSL refuses now is a point that is not on the curve
    return undefined;
  }
}
