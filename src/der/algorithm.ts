import { StepsealError } from '../base/errors.ts';
import type { SignatureAlgorithm } from '../base/ports.ts';
import { children, type DerNode } from './read.ts';
import type { KeyAlgorithm } from './spki.ts';
import { nul, oid, sequence } from './write.ts';
import { asNull, asOid } from './values.ts';

interface Known {
  readonly name: SignatureAlgorithm;
  readonly oid: string;
  /** RFC 4055 section 5: RSA carries NULL parameters; RFC 5758 and RFC 8410: ECDSA and Ed25519 carry none */
  readonly nullParameters: boolean;
}

const KNOWN: readonly Known[] = [
  { name: 'ecdsa-p256-sha256', oid: '1.2.840.10045.4.3.2', nullParameters: false },
  { name: 'ecdsa-p384-sha384', oid: '1.2.840.10045.4.3.3', nullParameters: false },
  { name: 'ecdsa-p521-sha512', oid: '1.2.840.10045.4.3.4', nullParameters: false },
  { name: 'ed25519', oid: '1.3.101.112', nullParameters: false },
  { name: 'rsa-pkcs1-sha256', oid: '1.2.840.113549.1.1.11', nullParameters: true },
];

const ENCODED = new Map<SignatureAlgorithm, Uint8Array>(
  KNOWN.map((known) => [known.name, known.nullParameters ? sequence(oid(known.oid), nul()) : sequence(oid(known.oid))]),
);

/** AlgorithmIdentifier of a signature, DER. */
export function signatureAlgorithmIdentifier(algorithm: SignatureAlgorithm): Uint8Array {
  return ENCODED.get(algorithm)!;
}

/** AlgorithmIdentifier of a signature. SHA-1, MD5, PSS and every other algorithm are ALG_NOT_ALLOWED; wrong parameters DER_INVALID. */
export function parseSignatureAlgorithm(node: DerNode, what: string): SignatureAlgorithm {
  const [identifier, parameters, extra] = children(node, undefined, what);
  const dotted = identifier ? asOid(identifier, what) : '';
  const known = KNOWN.find((candidate) => candidate.oid === dotted);
  if (!known) {
    throw new StepsealError('ALG_NOT_ALLOWED', `${what} names a signature algorithm that is not allowed`, {
      expected: KNOWN.map((each) => each.name).join(', '),
      found: dotted,
    });
  }
  if (extra || (parameters !== undefined) !== known.nullParameters) throw new StepsealError('DER_INVALID', `${what} has wrong parameters for ${known.name}`);
  if (parameters) asNull(parameters, `the parameters of ${what}`);
  return known.name;
}

const BY_KEY = {
  'ecdsa-p256': 'ecdsa-p256-sha256',
  'ecdsa-p384': 'ecdsa-p384-sha384',
  'ecdsa-p521': 'ecdsa-p521-sha512',
  ed25519: 'ed25519',
  rsa: 'rsa-pkcs1-sha256',
} as const satisfies Record<KeyAlgorithm, SignatureAlgorithm>;

/** The one signature algorithm that keys of this kind are used with. */
export function signatureAlgorithmOf(key: KeyAlgorithm): SignatureAlgorithm {
  return BY_KEY[key];
}
