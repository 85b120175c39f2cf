import { utf8 } from '../base/bytes.ts';
import { canonicalJson } from '../base/json.ts';
import { jwkOf } from '../spiffe/jwk.ts';
import type { JwtAuthority } from '../spiffe/jwtValidate.ts';

const ALGORITHMS: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' };

/**
 * The document at `<issuer>/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 section 3), for relying
 * parties that only validate: there is no authorization endpoint to name, but some readers want the member. JSON, UTF-8.
 */
export function oidcDiscovery({ issuer, jwksUri, keys }: { readonly issuer: string; readonly jwksUri: string; readonly keys: readonly JwtAuthority[] }): Uint8Array {
  return utf8(
    canonicalJson({
      issuer,
      jwks_uri: jwksUri,
      authorization_endpoint: '',
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...new Set(keys.map(({ spki }) => algorithmOf(spki)))].sort(),
    }),
  );
}

/** The JWK Set behind `jwks_uri` (RFC 7517 section 5): the keys that sign JWT-SVIDs, as OIDC names their use. JSON, UTF-8. */
export function jwks(keys: readonly JwtAuthority[]): Uint8Array {
  return utf8(canonicalJson({ keys: keys.map(({ kid, spki }) => ({ ...jwkOf(spki), alg: algorithmOf(spki), kid, use: 'sig' })) }));
}

function algorithmOf(spki: Uint8Array): string {
  const jwk = jwkOf(spki);
  return jwk.kty === 'EC' ? ALGORITHMS[jwk.crv]! : 'RS256';
}
