import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Callers } from '../attestor/callers.ts';
import type { Peer } from '../attestor/peer.ts';
import { attestUnix, type UnixAttestorOptions } from '../attestor/unix.ts';
import type { CallerSchema } from '../rpc/gen/stepseal/node_pb.js';

/** A caller as this agent attested it, at one moment. */
export interface AttestedCaller {
  /** equal for callers that the server cannot tell apart */
  readonly key: string;
  /** of a step */
  readonly attempt: string | undefined;
  /** what the server is told */
  readonly caller: MessageInitShape<typeof CallerSchema>;
}

/** Attests who is on a connection, now: to be called again before each signature and each push. Throws what standingOf and attestUnix throw. */
export type CallerOf = (peer: Peer) => Promise<AttestedCaller>;

export function callerOf(callers: Callers, options: UnixAttestorOptions): CallerOf {
  return async (peer) => {
    const standing = callers.standingOf(peer);
    if (standing.kind === 'step') return stepCaller(standing.attempt, peer);
    const { operator } = standing;
    const facts = await attestUnix(peer, options);
    return {
      key: JSON.stringify(['workload', facts.uid, facts.gid, facts.user, facts.path, facts.exeSha256, operator]),
      attempt: undefined,
      caller: { who: { case: 'workload', value: { ...facts, operator } }, peer: peer.mode },
    };
  };
}

function stepCaller(attempt: string, peer: Peer): AttestedCaller {
  return { key: attemptKey(attempt), attempt, caller: { who: { case: 'attemptId', value: attempt }, peer: peer.mode } };
}

export const attemptKey = (attempt: string): string => JSON.stringify(['attempt', attempt]);
