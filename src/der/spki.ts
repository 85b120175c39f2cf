import { hash } from 'node:crypto';
import { StepsealError } from '../base/errors.ts';
import { children, parseDer, fields, parseWithin, type DerNode } from './read.ts';
import { TAG } from './tags.ts';
import { asBitString, asNull, asOid, integerBytes } from './values.ts';

export type KeyAlgorithm = 'ecdsa-p256' | 'ecdsa-p384' | 'ecdsa-p521' | 'ed25519' | 'rsa';

export interface Spki {
  readonly algorithm: KeyAlgorithm;
  /** SubjectPublicKeyInfo */
  readonly der: Uint8Array;
  /** content of the BIT STRING: the EC point, the Ed25519 key, or RSAPublicKey */
  readonly key: Uint8Array;
  /** modulus length, RSA only */
  readonly rsaBits?: number;
}

const EC = '1.2.840.10045.2.1';
const ED25519 = '1.3.101.112';
const RSA = '1.2.840.113549.1.1.1';
const CURVES: ReadonlyMap<string, { algorithm: KeyAlgorithm; coordinate: number }> = new Map([
  ['1.2.840.10045.3.1.7', { algorithm: 'ecdsa-p256', coordinate: 32 }],
  ['1.3.132.0.34', { algorithm: 'ecdsa-p384', coordinate: 48 }],
  ['1.3.132.0.35', { algorithm: 'ecdsa-p521', coordinate: 66 }],
]);
const RSA_MIN_BITS = 2048;
// a larger modulus costs the verifier more time than it gives the signer safety
const RSA_MAX_BITS = 8192;

/**
 * SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7; RFC 5480, RFC 8410, RFC 3279). Points are uncompressed; whether a point is on
 * its curve is seen when the key is imported. Throws DER_INVALID, or ALG_NOT_ALLOWED for other keys, other curves and RSA
 * outside 2048 to 8192 bits.
 */
export function parseSpki(der: Uint8Array): Spki {
  return spkiOf(parseDer(der), der);
}

/** The same for a node inside a larger structure; `der` is its bytes. */
export function spkiOf(node: DerNode, der: Uint8Array): Spki {
  const outer = fields(node, 'SubjectPublicKeyInfo');
  const [identifier, parameters, extra] = children(outer.any('algorithm'), TAG.sequence, 'key algorithm');
  const key = asBitString(outer.any('subjectPublicKey'), 'subjectPublicKey');
  outer.end();
  if (!identifier || extra) throw new StepsealError('DER_INVALID', 'the key algorithm is malformed');
  switch (asOid(identifier, 'key algorithm')) {
    case EC: {
      const curve = parameters?.tag === TAG.oid ? asOid(parameters, 'curve') : 'explicit parameters';
      const known = CURVES.get(curve);
      if (!known) throw notAllowed('an elliptic curve', 'P-256, P-384 or P-521', curve);
      if (key.length !== 1 + 2 * known.coordinate || key[0] !== 4) throw new StepsealError('DER_INVALID', 'the EC point is not in uncompressed form');
      return { algorithm: known.algorithm, der, key };
    }
    case ED25519:
      if (parameters || key.length !== 32) throw new StepsealError('DER_INVALID', 'the Ed25519 key is malformed');
      return { algorithm: 'ed25519', der, key };
    case RSA: {
      if (!parameters) throw new StepsealError('DER_INVALID', 'an RSA key without NULL parameters');
      asNull(parameters, 'RSA parameters');
      return { algorithm: 'rsa', der, key, rsaBits: rsaBits(key) };
    }
    default:
      throw notAllowed('a key type', 'P-256, P-384, P-521, Ed25519 or RSA', asOid(identifier, 'key algorithm'));
  }
}

// RSAPublicKey, RFC 8017 appendix A.1.1
function rsaBits(key: Uint8Array): number {
  const inner = fields(parseWithin(key, TAG.sequence, 'RSAPublicKey'), 'RSAPublicKey');
  const modulus = integerBytes(inner.any('modulus'), 'modulus');
  const exponent = integerBytes(inner.any('exponent'), 'exponent');
  inner.end();
  const magnitude = modulus[0] === 0 ? modulus.subarray(1) : modulus;
  const bits = magnitude.length * 8 - (Math.clz32(magnitude[0] ?? 0) - 24);
  if (modulus[0]! >= 0x80 || bits < RSA_MIN_BITS || bits > RSA_MAX_BITS) throw notAllowed('RSA', `${RSA_MIN_BITS} to ${RSA_MAX_BITS} bits`, `${bits} bits`);
  if (exponent[0]! >= 0x80 || exponent.length > 4 || exponent.at(-1)! % 2 === 0 || (exponent.length === 1 && exponent[0]! < 3)) {
    throw notAllowed('an RSA exponent', 'odd, from 3 to 2^31');
  }
  return bits;
}

function notAllowed(what: string, expected: string, found?: string): StepsealError {
  return new StepsealError('ALG_NOT_ALLOWED', `${what} that is not allowed`, { expected, ...(found !== undefined && { found }) });
}

/** SHA-1 of the key bits (RFC 5280 section 4.2.1.2, method 1): an identifier, nothing rests on its strength. 20 bytes. */
export function keyIdentifier(spki: Uint8Array): Uint8Array {
  return hash('sha1', parseSpki(spki).key, 'buffer');
}
