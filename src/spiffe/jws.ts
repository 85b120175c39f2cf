import { constants, type KeyObject, verify } from 'node:crypto';
import { concat } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import type { SignatureAlgorithm } from '../base/ports.ts';
import { fields, parseDer } from '../der/read.ts';
import { integerBytes } from '../der/values.ts';

const NAMES: Partial<Record<SignatureAlgorithm, { readonly alg: string; readonly coordinate?: number }>> = {
  'ecdsa-p256-sha256': { alg: 'ES256', coordinate: 32 },
  'ecdsa-p384-sha384': { alg: 'ES384', coordinate: 48 },
  'ecdsa-p521-sha512': { alg: 'ES512', coordinate: 66 },
  'rsa-pkcs1-sha256': { alg: 'RS256' },
};

/** The JWS `alg` of a signer (RFC 7518 section 3.1). Throws JWT_ALG_NOT_ALLOWED for those that JWT-SVID does not list. */
export function jwsAlgorithm(algorithm: SignatureAlgorithm): string {
  return named(algorithm).alg;
}

/** A signature as X.509 carries it, to what JWS carries: ECDSA is r ‖ s of fixed length (RFC 7518 section 3.4). */
export function jwsSignature(algorithm: SignatureAlgorithm, signature: Uint8Array): Uint8Array {
  const { coordinate } = named(algorithm);
  if (coordinate === undefined) return signature;
  const pair = fields(parseDer(signature), 'ECDSA signature');
  const [r, s] = [integerBytes(pair.any('r'), 'r'), integerBytes(pair.any('s'), 's')];
  pair.end();
  return concat(padded(r, coordinate), padded(s, coordinate));
}

function padded(integer: Uint8Array, length: number): Uint8Array {
  const magnitude = integer[0] === 0 ? integer.subarray(1) : integer;
  const out = new Uint8Array(length);
  out.set(magnitude, length - magnitude.length);
  return out;
}

function named(algorithm: SignatureAlgorithm): { readonly alg: string; readonly coordinate?: number } {
  const name = NAMES[algorithm];
  if (name === undefined) throw notAllowed(algorithm);
  return name;
}

const ALG = /^(RS|PS|ES)(256|384|512)$/;
const CURVE_ALGS: Record<string, string> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

/**
 * Verifies a JWS signature with one of JWT-SVID's nine algorithms (JWT-SVID section 2.1), which must be one for this kind of
 * key. Throws JWT_ALG_NOT_ALLOWED; false for a wrong signature.
 */
export function verifyJws(alg: string, key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  const match = ALG.exec(alg);
  if (!match) throw notAllowed(alg);
  const [, family, bits] = match;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const fits = family === 'ES' ? curve !== undefined && CURVE_ALGS[curve] === alg : key.asymmetricKeyType === 'rsa';
  if (!fits) throw new StepsealError('JWT_ALG_NOT_ALLOWED', 'the algorithm is not one for this key', { expected: curve === undefined ? 'RS or PS' : (CURVE_ALGS[curve] ?? 'none'), found: alg });
  return verify(`sha${bits}`, data, verifyKey(family!, key), signature);
}

function verifyKey(family: string, key: KeyObject): Parameters<typeof verify>[2] {
  switch (family) {
    case 'ES':
      return { key, dsaEncoding: 'ieee-p1363' };
    case 'PS':
      // RFC 7518 section 3.5: the salt is as long as the hash
      return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
    default:
      return { key, padding: constants.RSA_PKCS1_PADDING };
  }
}

function notAllowed(found: string): StepsealError {
  return new StepsealError('JWT_ALG_NOT_ALLOWED', 'an algorithm that JWT-SVID forbids', { expected: 'RS, ES or PS with 256, 384 or 512', found });
}
