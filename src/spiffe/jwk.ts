import { createPublicKey, hash, type JsonWebKey, type KeyObject } from 'node:crypto';
import { toBase64Url } from '../base/base64.ts';
import { utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { canonicalJson, type JsonObject } from '../base/json.ts';
import { type KeyAlgorithm, parseSpki } from '../der/spki.ts';

/** The public members of a key (RFC 7517, RFC 7518 section 6). */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: string; readonly x: string; readonly y: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string };

const EC_CURVES: Partial<Record<KeyAlgorithm, string>> = { 'ecdsa-p256': 'P-256', 'ecdsa-p384': 'P-384', 'ecdsa-p521': 'P-521' };

/** RSA, P-256, P-384 or P-521 key from SubjectPublicKeyInfo, DER. Throws JWK_INVALID, ALG_NOT_ALLOWED, DER_INVALID. */
export function jwkOf(spki: Uint8Array): PublicJwk {
  const { algorithm, key } = parseSpki(spki);
  const crv = EC_CURVES[algorithm];
  if (crv !== undefined) {
    // uncompressed point: 04 ‖ x ‖ y (RFC 5480 section 2.2)
    const middle = (key.length + 1) / 2;
    return { kty: 'EC', crv, x: toBase64Url(key.subarray(1, middle)), y: toBase64Url(key.subarray(middle)) };
  }
  if (algorithm !== 'rsa') throw invalid('a key that JWT-SVIDs cannot use', algorithm);
  const { n, e } = importSpki(spki).export({ format: 'jwk' });
  return { kty: 'RSA', n: n!, e: e! };
}

/** RFC 7638 SHA-256 thumbprint, base64url: the key ID that Stepseal gives its keys. */
export function jwkThumbprint(spki: Uint8Array): string {
  return hash('sha256', utf8(canonicalJson(jwkOf(spki))), 'base64url');
}

/**
 * SubjectPublicKeyInfo (DER) of a JSON Web Key, its other members aside. A private member is refused: a bundle that
 * carries one has burnt the key. Throws JWK_INVALID, ALG_NOT_ALLOWED.
 */
export function spkiOfJwk(jwk: JsonObject, path: string): Uint8Array {
  for (const member of ['d', 'p', 'q', 'k']) if (Object.hasOwn(jwk, member)) throw invalid(`${path} carries a private member`, member);
  const { kty, crv, x, y, n, e } = jwk;
  const members = kty === 'EC' ? { kty, crv, x, y } : { kty, n, e };
  let key: KeyObject;
  try {
    key = createPublicKey({ key: members as JsonWebKey, format: 'jwk' });
  } catch (cause) {
    throw new StepsealError('JWK_INVALID', `${path} is not a public key`, { expected: 'RSA, P-256, P-384 or P-521', cause });
  }
  const spki = key.export({ format: 'der', type: 'spki' });
  // node reads base64url leniently; one spelling only. Ed25519 and small RSA end here
  const exact = jwkOf(spki);
  if (canonicalJson(exact) !== canonicalJson(members)) throw invalid(`${path} is not in canonical form`, canonicalJson(members));
  return spki;
}

/** The key of a SubjectPublicKeyInfo, DER. */
export function importSpki(spki: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
}

function invalid(message: string, found: string): StepsealError {
  return new StepsealError('JWK_INVALID', message, { expected: 'a public RSA, P-256, P-384 or P-521 key', found });
}
