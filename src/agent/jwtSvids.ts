import { StepsealError } from '../base/errors.ts';
import { parseSpiffeId } from '../spiffe/id.ts';
import type { AttestedCaller } from './caller.ts';
import { type Lease, renewalTime } from './lease.ts';
import { createLeases } from './leases.ts';
import { asCallerError, noIdentity } from './refusals.ts';
import { ISSUE_MS, type SvidPorts } from './x509Svids.ts';

export interface CallerJwts extends Lease {
  /** at least one */
  readonly svids: readonly { readonly spiffeId: string; readonly hint: string; readonly token: string }[];
}

export interface JwtSvids {
  /**
   * Tokens for the audience, at least one and none empty, of the caller's identity `spiffeId`, or of all where that is ''.
   * Kept ones until half of their life, and until their end while the server is away.
   * Throws WORKLOAD_REQUEST, SPIFFE_ID_INVALID, IDENTITY_NONE and what the server refuses with.
   */
  of(caller: AttestedCaller, audience: readonly string[], spiffeId: string): Promise<CallerJwts>;
  /** Forgets what was issued for a caller. */
  drop(key: string): void;
}

/** What is kept is kept by its audience, and every token carries it. */
const MAX_AUDIENCES = 16;
const MAX_AUDIENCE_BYTES = 4096;

export function createJwtSvids(ports: Omit<SvidPorts, 'trust'>): JwtSvids {
  const leases = createLeases<CallerJwts>(ports);
  return {
    of(caller, audience, spiffeId) {
      if (audience.length === 0 || audience.includes('')) {
        throw new StepsealError('WORKLOAD_REQUEST', 'the audience must be specified', { expected: 'at least one, none empty' });
      }
      if (audience.length > MAX_AUDIENCES || Buffer.byteLength(audience.join('')) > MAX_AUDIENCE_BYTES) {
        throw new StepsealError('WORKLOAD_REQUEST', 'too many audiences', { expected: `at most ${MAX_AUDIENCES}, of ${MAX_AUDIENCE_BYTES} bytes together`, found: `${audience.length}` });
      }
      if (spiffeId !== '') parseSpiffeId(spiffeId);
      return leases.get(JSON.stringify([caller.key, spiffeId, ...audience]), () => issue(caller, audience, spiffeId, ports));
    },
    drop: (key) => leases.drop((kept) => kept.startsWith(`[${JSON.stringify(key)},`)),
  };
}

async function issue({ caller }: AttestedCaller, audience: readonly string[], spiffeId: string, { server, rng }: Omit<SvidPorts, 'trust'>): Promise<CallerJwts> {
  const { svids } = await server.node().issueJwtSvid({ caller, audience: [...audience], spiffeId }, { timeoutMs: ISSUE_MS }).catch((error: unknown) => {
    throw asCallerError(error);
  });
  if (svids.length === 0) throw noIdentity();
  const life = { notBefore: Math.max(...svids.map(({ issuedMs }) => Number(issuedMs))), notAfter: Math.min(...svids.map(({ expiresMs }) => Number(expiresMs))) };
  return { ...life, renewAt: renewalTime(life, rng), svids: svids.map(({ spiffeId: id, hint, token }) => ({ spiffeId: id, hint, token })) };
}
