import { encodeSigningConfig } from '../envelope/signingConfig.ts';
import { encodeSpiffeBundle } from '../spiffe/bundleDocument.ts';
import { signingConfig } from '../trust/signingConfig.ts';
import { type Core, REFRESH_HINT_SECONDS } from './core.ts';
import type { OpenServer } from './open.ts';

/** signing_config.json: where stock clients reach this server. */
export function signingConfigOf({ core, authorities }: OpenServer, httpUrl: string): Uint8Array {
  const start = authorities.signingRoot.certificate.notBefore;
  return encodeSigningConfig(signingConfig({ operator: core.trustDomain, http: httpUrl, issuer: core.issuer, start }));
}

/** The SPIFFE bundle document of the trust domain. */
export function bundleOf({ identity }: Core): Uint8Array {
  return encodeSpiffeBundle({
    x509Authorities: identity.roots.map(({ der }) => der),
    jwtAuthorities: identity.jwtAuthorities,
    sequence: identity.sequence,
    refreshHint: REFRESH_HINT_SECONDS,
  });
}
