import { p256, p384, p521 } from '@noble/curves/nist.js';
import { constants, createPrivateKey, createPublicKey, publicDecrypt } from 'node:crypto';
import { StepsealError } from '../base/errors.ts';
import { concat, equalBytes } from '../base/bytes.ts';
import { fromHex } from '../base/hex.ts';
import type { DigestName, Prehash } from '../base/ports.ts';
import { parseSpki, type Spki } from '../der/spki.ts';

const CURVES: Readonly<Record<string, typeof p256 | undefined>> = {
  'ecdsa-p256': p256, 'ecdsa-p384': p384, 'ecdsa-p521': p521, 'P-256': p256, 'P-384': p384, 'P-521': p521,
};
const OPTIONS = { prehash: false, lowS: false, format: 'der' } as const;
const DIGEST_LENGTH = { sha256: 32, sha384: 48, sha512: 64 } as const;

/** DigestInfo up to the digest: RFC 8017 section 9.2, note 1. */
const DIGEST_INFO: Record<DigestName, Uint8Array> = {
  sha256: fromHex('3031300d060960864801650304020105000420'),
  sha384: fromHex('3041300d060960864801650304020205000430'),
  sha512: fromHex('3051300d060960864801650304020305000440'),
};

/** Prehash without the addon; the same answers. Signing is deterministic (RFC 6979). */
export const jsPrehash: Prehash = {
  verify(spki, hash, digest, signature) {
    if (digest.length !== DIGEST_LENGTH[hash]) return false;
    try {
      const key = parseSpki(spki);
      if (key.algorithm === 'rsa') return verifyRsa(key, hash, digest, signature);
      return CURVES[key.algorithm]?.verify(signature, digest, key.key, OPTIONS) ?? false;
    } catch {
      // a key or signature that does not parse, or a point that is not on its curve: noble and OpenSSL throw
      return false;
    }
  },
  sign(pkcs8, hash, digest) {
    if (digest.length !== DIGEST_LENGTH[hash]) throw new StepsealError('DIGEST_INVALID', `a ${hash} digest has ${DIGEST_LENGTH[hash]} bytes`, { found: `${digest.length}` });
    const { crv, d } = privateJwk(pkcs8);
    const curve = CURVES[crv ?? ''];
    if (curve === undefined || d === undefined) throw notASigner();
    return curve.sign(digest, Buffer.from(d, 'base64url'), OPTIONS);
  },
};

/** RFC 8017 section 8.2.2: the encoded message is compared whole, never parsed. */
function verifyRsa(key: Spki, hash: DigestName, digest: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== Math.ceil(key.rsaBits! / 8)) return false;
  const publicKey = createPublicKey({ key: Buffer.from(key.der), format: 'der', type: 'spki' });
  const found = publicDecrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, signature);
  return equalBytes(found, concat(DIGEST_INFO[hash], digest));
}

function privateJwk(pkcs8: Uint8Array): { crv?: string; d?: string } {
  try {
    return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
  } catch (cause) {
    throw notASigner(cause);
  }
}

function notASigner(cause?: unknown): StepsealError {
  return new StepsealError('KEY_INVALID', 'only P-256, P-384 and P-521 keys sign a digest', { cause });
}
