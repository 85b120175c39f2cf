import { p256 } from '@noble/curves/nist.js';
import { createPrivateKey, createPublicKey, sign as signWith } from 'node:crypto';
import { concat, sha256, utf8 } from '../../src/base/bytes.ts';
import { fromHex } from '../../src/base/hex.ts';
import type { Rng, Signer } from '../../src/base/ports.ts';

/** Keys, signatures and randomness that are the same in every run: ECDSA nonces by RFC 6979. For tests only. */
export function seededSigner(seed: string, algorithm: 'ecdsa-p256-sha256' | 'ed25519' = 'ecdsa-p256-sha256'): Signer {
  const secret = sha256(utf8(`stepseal test key ${seed}`));
  if (algorithm === 'ed25519') {
    // PKCS#8 of RFC 8410 section 7
    const key = createPrivateKey({ key: Buffer.from(concat(fromHex('302e020100300506032b657004220420'), secret)), format: 'der', type: 'pkcs8' });
    return { algorithm, spki: createPublicKey(key).export({ type: 'spki', format: 'der' }), sign: (data) => signWith(null, data, key) };
  }
  // SubjectPublicKeyInfo of a P-256 point (RFC 5480 section 2)
  const spki = concat(fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200'), p256.getPublicKey(secret, false));
  return { algorithm, spki, sign: (data) => p256.sign(sha256(data), secret, { prehash: false, lowS: false, format: 'der' }) };
}

export function seededRng(seed: string): Rng {
  let counter = 0;
  return {
    bytes(length) {
      const parts: Uint8Array[] = [];
      for (let have = 0; have < length; have += 32) parts.push(sha256(utf8(`${seed} ${counter++}`)));
      return concat(...parts).slice(0, length);
    },
  };
}
