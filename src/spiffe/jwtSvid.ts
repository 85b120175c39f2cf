import { toBase64Url } from '../base/base64.ts';
import { utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { canonicalJson, type JsonObject } from '../base/json.ts';
import type { Signer } from '../base/ports.ts';
import { type SpiffeId, parseSpiffeId } from './id.ts';
import { jwsAlgorithm, jwsSignature } from './jws.ts';

export interface JwtSvidTemplate {
  readonly signer: Signer;
  /** of the signer's key in the SPIFFE bundle */
  readonly kid: string;
  /** SPIFFE ID, with a path */
  readonly sub: string;
  /** at least one */
  readonly aud: readonly string[];
  /** OIDC issuer; without it Fulcio-style verifiers have nothing to look for */
  readonly iss: string;
  /** ms since the epoch, cut to seconds */
  readonly iat: number;
  readonly exp: number;
  /** further claims; none of the above */
  readonly claims?: JsonObject;
}

const REGISTERED = ['sub', 'aud', 'iss', 'iat', 'exp', 'nbf'];
const MAX_AUDIENCES = 64;
const MAX_AUDIENCE = 1024;

/**
 * A JWT-SVID in JWS compact form (JWT-SVID sections 2 and 3): header alg, kid, typ and nothing else; `aud` always a list.
 * Throws SPIFFE_ID_INVALID, JWT_CLAIMS, JWT_ALG_NOT_ALLOWED.
 */
export async function signJwtSvid({ signer, kid, sub, aud, iss, iat, exp, claims = {} }: JwtSvidTemplate): Promise<string> {
  jwtSubject(sub);
  if (aud.length === 0 || aud.length > MAX_AUDIENCES || aud.some((audience) => audience === '' || audience.length > MAX_AUDIENCE)) {
    throw new StepsealError('JWT_CLAIMS', 'the audience is not as it should be', { expected: `1 to ${MAX_AUDIENCES} texts of 1 to ${MAX_AUDIENCE} characters`, found: JSON.stringify(aud) });
  }
  const taken = REGISTERED.find((name) => Object.hasOwn(claims, name));
  if (taken !== undefined) throw new StepsealError('JWT_CLAIMS', 'a further claim has the name of a registered one', { found: taken });
  const header = canonicalJson({ alg: jwsAlgorithm(signer.algorithm), kid, typ: 'JWT' });
  const payload = canonicalJson({ ...claims, sub, aud, iss, iat: Math.floor(iat / 1000), exp: Math.floor(exp / 1000) });
  const input = `${toBase64Url(utf8(header))}.${toBase64Url(utf8(payload))}`;
  const signature = await signer.sign(utf8(input));
  return `${input}.${toBase64Url(jwsSignature(signer.algorithm, signature))}`;
}

/** The subject of a JWT-SVID names a workload, so its ID has a path. Throws SPIFFE_ID_INVALID. */
export function jwtSubject(sub: string): SpiffeId {
  const id = parseSpiffeId(sub);
  if (id.path === '') throw new StepsealError('SPIFFE_ID_INVALID', 'the ID of a trust domain is no workload', { expected: 'an ID with a path', found: sub });
  return id;
}
