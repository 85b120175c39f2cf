import { X509Certificate } from 'node:crypto';
import { fromBase64, toBase64 } from '../base/base64.ts';
import { equalBytes, utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { canonicalJson, parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { jwkOf, spkiOfJwk } from './jwk.ts';
import type { JwtAuthority } from './jwtValidate.ts';
import { parseTrustDomain } from './trustDomain.ts';

/** The keys of a trust domain (SPIFFE Trust Domain and Bundle). */
export interface SpiffeBundle {
  readonly trustDomain: string;
  /** root certificates, DER */
  readonly x509Authorities: readonly Uint8Array[];
  readonly jwtAuthorities: readonly JwtAuthority[];
  /** grows with every change */
  readonly sequence?: number;
  /** seconds */
  readonly refreshHint?: number;
}

/**
 * The bundle document: a JWK Set (section 4). The standard's `use` values only: spire-server refuses a document with
 * others. `x509-svid` keys carry exactly one certificate and no `kid`. RFC 8785 JSON, UTF-8.
 */
export function encodeSpiffeBundle({ x509Authorities, jwtAuthorities, sequence, refreshHint }: Omit<SpiffeBundle, 'trustDomain'>): Uint8Array {
  return utf8(
    canonicalJson({
      keys: [
        ...x509Authorities.map((der) => ({ ...jwkOf(certificateSpki(der, 'x509Authorities')), use: 'x509-svid', x5c: [toBase64(der)] })),
        ...jwtAuthorities.map(({ kid, spki }) => ({ ...jwkOf(spki), kid, use: 'jwt-svid' })),
      ],
      spiffe_sequence: sequence,
      spiffe_refresh_hint: refreshHint,
    }),
  );
}

/**
 * As the standard says: keys of an unknown `kty` or `use` are left out, and so are `x509-svid` keys without certificate;
 * of several certificates the first counts. What is kept must be right: a certificate that is not the key's, a private
 * member, a `jwt-svid` key without `kid` or with a taken one refuse the document.
 * Throws SPIFFE_BUNDLE_INVALID, JWK_INVALID, BASE64_NONCANONICAL, TRUST_DOMAIN_INVALID and the codes of parseJson.
 */
export function parseSpiffeBundle(bytes: Uint8Array, trustDomain: string): SpiffeBundle {
  const reader = new Reader(parseJson(bytes), 'bundle', 'SPIFFE_BUNDLE_INVALID');
  const x509Authorities: Uint8Array[] = [];
  const jwtAuthorities: JwtAuthority[] = [];
  for (const key of reader.at('keys').array()) {
    const kty = key.at('kty').string();
    const use = key.at('use').string();
    if (kty !== 'EC' && kty !== 'RSA') continue;
    if (use === 'x509-svid') {
      const authority = readX509(key);
      if (authority !== undefined) x509Authorities.push(authority);
    }
    if (use === 'jwt-svid') {
      const kid = key.at('kid').string('a key ID', /./);
      if (jwtAuthorities.some((other) => other.kid === kid)) key.at('kid').fail('a key ID of its own');
      jwtAuthorities.push({ kid, spki: spkiOfJwk(key.object(), key.path) });
    }
  }
  const sequence = reader.at('spiffe_sequence').optional(count);
  const refreshHint = reader.at('spiffe_refresh_hint').optional(count);
  return {
    trustDomain: parseTrustDomain(trustDomain),
    x509Authorities,
    jwtAuthorities,
    ...(sequence !== undefined && { sequence }),
    ...(refreshHint !== undefined && { refreshHint }),
  };
}

function readX509(key: Reader): Uint8Array | undefined {
  const [first] = key.at('x5c').optional((chain) => chain.array()) ?? [];
  if (first === undefined) return undefined;
  const der = fromBase64(first.string(), first.path);
  if (!equalBytes(spkiOfJwk(key.object(), key.path), certificateSpki(der, first.path))) key.fail('the key of its certificate (RFC 7517 section 4.7)');
  return der;
}

function certificateSpki(der: Uint8Array, path: string): Uint8Array {
  try {
    return new X509Certificate(der).publicKey.export({ format: 'der', type: 'spki' });
  } catch (cause) {
    throw new StepsealError('SPIFFE_BUNDLE_INVALID', `${path} holds something that is not a certificate`, { cause });
  }
}

function count(reader: Reader): number {
  const value = reader.number();
  return Number.isSafeInteger(value) && value >= 0 ? value : reader.fail('a whole number');
}
