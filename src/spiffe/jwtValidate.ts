import type { KeyObject } from 'node:crypto';
import { fromBase64Url } from '../base/base64.ts';
import { utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { type JsonObject, parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import type { SpiffeId } from './id.ts';
import { importSpki } from './jwk.ts';
import { verifyJws } from './jws.ts';
import { jwtSubject } from './jwtSvid.ts';

/** A key that signs JWT-SVIDs of a trust domain. */
export interface JwtAuthority {
  readonly kid: string;
  /** SubjectPublicKeyInfo, DER */
  readonly spki: Uint8Array;
}

/** A JWT-SVID taken apart, nothing verified. */
export interface DecodedJwt {
  readonly alg: string;
  readonly kid: string;
  readonly claims: JsonObject;
  readonly signature: Uint8Array;
  /** what the signature is over */
  readonly signed: Uint8Array;
}

export interface JwtSvid {
  readonly id: SpiffeId;
  readonly kid: string;
  readonly issuer: string | undefined;
  readonly audience: readonly string[];
  /** ms since the epoch */
  readonly issuedAt: number | undefined;
  readonly expiresAt: number;
  readonly claims: JsonObject;
}

export interface JwtExpectation {
  /** of the trust domain's bundle */
  readonly keys: readonly JwtAuthority[];
  /** must be among the token's */
  readonly audience: string;
  /** ms since the epoch */
  readonly now: number;
  readonly trustDomain: string;
}

const MAX_LENGTH = 16 * 1024;

/**
 * JWS compact form with the header that JWT-SVID section 2 allows: alg, kid, typ and nothing else (other readers of such
 * tokens follow `jku` or `jwk`). Throws JWT_MALFORMED, BASE64_NONCANONICAL and the codes of parseJson.
 */
export function decodeJwtSvid(token: string): DecodedJwt {
  const parts = token.split('.');
  if (token.length > MAX_LENGTH || parts.length !== 3) {
    throw new StepsealError('JWT_MALFORMED', 'not a JWT-SVID', { expected: `three parts, at most ${MAX_LENGTH} characters`, found: `${parts.length} parts, ${token.length} characters` });
  }
  const [header, payload, signature] = parts as [string, string, string];
  const reader = new Reader(parseJson(fromBase64Url(header, 'the header')), 'header', 'JWT_MALFORMED').only('alg', 'kid', 'typ');
  reader.at('typ').optional((typ) => typ.string('JWT or JOSE', /^(?:JWT|JOSE)$/));
  return {
    alg: reader.at('alg').string(),
    kid: reader.at('kid').string('a key ID', /^[^]{1,256}$/),
    claims: new Reader(parseJson(fromBase64Url(payload, 'the payload')), 'claims', 'JWT_CLAIMS').object(),
    signature: fromBase64Url(signature, 'the signature'),
    signed: utf8(`${header}.${payload}`),
  };
}

/**
 * JWT-SVID section 3 and 5, without leeway: signature by a key of the trust domain, subject of the trust domain, audience,
 * `exp`, and `nbf` and `iat` where they stand. Throws the codes of decodeJwtSvid, JWT_KEY_UNKNOWN, JWT_ALG_NOT_ALLOWED,
 * JWT_SIGNATURE, JWT_CLAIMS, SPIFFE_ID_INVALID, JWT_TRUST_DOMAIN, JWT_AUDIENCE, JWT_EXPIRED, JWT_NOT_YET_VALID.
 */
export function validateJwtSvid(token: string, { keys, audience, now, trustDomain }: JwtExpectation): JwtSvid {
  const jwt = decodeJwtSvid(token);
  const authority = keys.find(({ kid }) => kid === jwt.kid);
  if (authority === undefined) throw new StepsealError('JWT_KEY_UNKNOWN', 'no key of the trust domain has this key ID', { found: jwt.kid });
  if (!verifyJws(jwt.alg, keyOf(authority), jwt.signed, jwt.signature)) throw new StepsealError('JWT_SIGNATURE', 'the signature of the token does not hold');
  const svid = readClaims(jwt);
  const refuse = (code: 'JWT_TRUST_DOMAIN' | 'JWT_AUDIENCE' | 'JWT_EXPIRED', message: string, expected: string, found: string): never => {
    throw new StepsealError(code, message, { expected, found });
  };
  if (svid.id.trustDomain !== trustDomain) refuse('JWT_TRUST_DOMAIN', 'the subject is of another trust domain', trustDomain, svid.id.uri);
  if (!svid.audience.includes(audience)) refuse('JWT_AUDIENCE', 'the token is meant for somebody else', audience, svid.audience.join(', '));
  if (now >= svid.expiresAt) refuse('JWT_EXPIRED', 'the token has expired', `before ${iso(svid.expiresAt)}`, iso(now));
  for (const name of ['nbf', 'iat']) {
    const start = seconds(new Reader(jwt.claims, 'claims', 'JWT_CLAIMS').at(name));
    if (start !== undefined && now < start) throw new StepsealError('JWT_NOT_YET_VALID', 'the token is not valid yet', { expected: `${name} not after ${iso(now)}`, found: iso(start) });
  }
  return svid;
}

function readClaims({ claims, kid }: DecodedJwt): JwtSvid {
  const reader = new Reader(claims, 'claims', 'JWT_CLAIMS');
  const audiences = reader.at('aud');
  // the prose allows a list, the schema a text (JWT-SVID section 3.2 and its JSON schema)
  const audience = typeof audiences.value === 'string' ? [audiences.value] : audiences.array().map((item) => item.string());
  if (audience.length === 0 || audience.includes('')) audiences.fail('at least one audience');
  return {
    id: jwtSubject(reader.at('sub').string()),
    kid,
    issuer: reader.at('iss').optional((iss) => iss.string()),
    audience,
    issuedAt: seconds(reader.at('iat')),
    expiresAt: seconds(reader.at('exp')) ?? reader.at('exp').fail('seconds since the epoch'),
    claims,
  };
}

// NumericDate, RFC 7519 section 2: may have a fraction
function seconds(reader: Reader): number | undefined {
  if (!reader.present) return undefined;
  const value = reader.number();
  return value >= 0 && value < 253_402_300_800 ? value * 1000 : reader.fail('seconds since the epoch, before the year 10000');
}

const imported = new WeakMap<JwtAuthority, KeyObject>();

// importing costs more than verifying; an authority lives as long as its bundle
function keyOf(authority: JwtAuthority): KeyObject {
  let key = imported.get(authority);
  if (key === undefined) imported.set(authority, (key = importSpki(authority.spki)));
  return key;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
