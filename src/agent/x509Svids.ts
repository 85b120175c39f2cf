import { concat } from '../base/bytes.ts';
import type { Clock, Rng } from '../base/ports.ts';
import type { AttestedCaller } from './caller.ts';
import type { ServerLink } from './core.ts';
import { checkIssuedTo } from './issued.ts';
import { freshKey } from './key.ts';
import { type Lease, renewalTime } from './lease.ts';
import { createLeases } from './leases.ts';
import { asCallerError, noIdentity } from './refusals.ts';
import type { TrustStore } from './trust.ts';

/** Every X509-SVID of one caller; one key, made for this issue. */
export interface CallerX509 extends Lease {
  /** PKCS#8, DER */
  readonly key: Uint8Array;
  /** at least one; the first is the default identity */
  readonly svids: readonly { readonly spiffeId: string; readonly hint: string; /** DER, leaf first, one after the other */ readonly chain: Uint8Array }[];
}

export interface X509Svids {
  /** Kept ones until half of their life, and until their end while the server is away. Throws IDENTITY_NONE and what the server refuses with. */
  of(caller: AttestedCaller): Promise<CallerX509>;
  /** Whether asking again may give something newer. */
  due(caller: AttestedCaller, svids: CallerX509): boolean;
  /** Forgets what was issued for a caller. */
  drop(key: string): void;
}

export interface SvidPorts {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly server: ServerLink;
  readonly trust: TrustStore;
  /** callers that are kept */
  readonly limit: number;
}

export const ISSUE_MS = 10_000;

export function createX509Svids(ports: SvidPorts): X509Svids {
  const leases = createLeases<CallerX509>(ports);
  return {
    of: (caller) => leases.get(caller.key, () => issue(caller, ports)),
    due: (caller, svids) => leases.due(caller.key, svids),
    drop: (key) => leases.drop((kept) => kept === key),
  };
}

/** One round trip: evidence and public key there, identities and certificates back. */
async function issue({ caller }: AttestedCaller, { server, trust, clock, rng }: SvidPorts): Promise<CallerX509> {
  const { pkcs8, spki } = await freshKey();
  const answer = await server.node().issueX509Svid({ caller, publicKey: spki }, { timeoutMs: ISSUE_MS }).catch((error: unknown) => {
    throw asCallerError(error);
  });
  if (answer.svids.length === 0) throw noIdentity();
  const now = clock.now();
  const leaves = answer.svids.map(({ spiffeId, chain }) => checkIssuedTo(spiffeId, chain, spki, trust.current(), now));
  const life = { notBefore: Math.max(...leaves.map(({ notBefore }) => notBefore)), notAfter: Math.min(...leaves.map(({ notAfter }) => notAfter)) };
  return {
    ...life,
    renewAt: renewalTime(life, rng),
    key: pkcs8,
    svids: answer.svids.map(({ spiffeId, hint, chain }) => ({ spiffeId, hint, chain: concat(...chain) })),
  };
}
