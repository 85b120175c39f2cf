import type { Clock, Rng } from '../base/ports.ts';
import { type SvidIssuer, svidIssuer } from '../ca/svid.ts';
import type { Authorities } from '../keys/authorities.ts';
import { jwkThumbprint } from '../spiffe/jwk.ts';
import type { IdentityAuthorities } from './core.ts';

/** Issuing and bundle of the trust domain over its authorities, which are renewed below it. */
export function identityAuthorities(authorities: Authorities, { trustDomain, clock, rng }: { readonly trustDomain: string; readonly clock: Clock; readonly rng: Rng }): IdentityAuthorities {
  const kid = jwkThumbprint(authorities.jwt.spki);
  let issuer: SvidIssuer = svidIssuer({ trustDomain, authority: authorities.svidCa(), clock, rng });
  return {
    // SVIDs carry their CA; what peers must know are the roots, which a renewal of the CA does not change
    roots: [authorities.identityRoot.certificate],
    svids() {
      const authority = authorities.svidCa();
      if (authority !== issuer.authority) issuer = svidIssuer({ trustDomain, authority, clock, rng });
      return issuer;
    },
    jwt: { signer: authorities.jwt, kid },
    jwtAuthorities: [{ kid, spki: authorities.jwt.spki }],
    // roots and JWT keys are those of the first start; rotation will count here
    sequence: 1,
  };
}
