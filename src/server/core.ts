import type { SigningIssuer } from '../ca/signing.ts';
import type { SvidIssuer } from '../ca/svid.ts';
import type { Clock, Prehash, Rng, Signer } from '../base/ports.ts';
import type { Registry } from '../registry/registry.ts';
import type { JwtAuthority } from '../spiffe/jwtValidate.ts';
import type { Database } from '../store/database.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { TrustMaterial } from '../verifier/trust.ts';
import type { SealingPorts } from './sealing.ts';

/** One JSON line each; never a token, a key or a payload. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A fault of ours, for the log: with the place where it happened. */
export function faultOf(error: unknown): string {
  return (error instanceof Error ? error.stack : undefined) ?? String(error);
}

/** Where identity comes from, and how others check it. */
export interface IdentityAuthorities {
  readonly roots: readonly Certificate[];
  /** renewed while the server runs, so always asked for, never kept */
  readonly svids: () => SvidIssuer;
  readonly jwt: { readonly signer: Signer; readonly kid: string };
  readonly jwtAuthorities: readonly JwtAuthority[];
  /** of the bundle; grows with every change */
  readonly sequence: number;
}

/** What the services of one server share. */
export interface Core {
  readonly trustDomain: string;
  /** OIDC issuer, configured once */
  readonly issuer: string;
  readonly version: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly prehash: Prehash;
  readonly log: Logger;
  readonly registry: Registry;
  readonly identity: IdentityAuthorities;
  /** renewed like the SVID CA */
  readonly signing: () => SigningIssuer;
  readonly sealing: SealingPorts;
  /** our own trusted root, as verifiers read it */
  readonly trust: () => TrustMaterial;
}

/** Seconds between two looks at the bundle for those who cannot be told (SPIFFE_Trust_Domain_and_Bundle section 4.1.3). */
export const REFRESH_HINT_SECONDS = 300;
export const AGENT_SVID_SECONDS = 3600;
/** JWT-SVIDs are bearer tokens: five minutes, SPIRE's default too. */
export const JWT_SVID_SECONDS = 300;
