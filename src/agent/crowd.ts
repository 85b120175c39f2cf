import type { Socket } from 'node:net';
import type { Callers } from '../attestor/callers.ts';
import { type Peer, type PeerMode, peerOf } from '../attestor/peer.ts';
import { StepsealError } from '../base/errors.ts';

/** Connections that a crowd may hold, on both sockets together: each is three descriptors of the agent, and memory. */
export interface CrowdLimits {
  /** of the operator's programs */
  readonly operator: number;
  /** of one step, of one other user */
  readonly each: number;
  /** of all users but the operator, and of namespaces that are no step's */
  readonly strangers: number;
}

export const CROWD_LIMITS: CrowdLimits = { operator: 1000, each: 128, strangers: 512 };

/**
 * What `admit` of the sockets does: attests who connected, and refuses whose crowd is too large, so that no user and no
 * step can take the agent away from the others. Throws CONNECTION_LIMIT and what peerOf throws.
 */
export function createCrowd(callers: Callers, mode: 'auto' | PeerMode, limits: CrowdLimits): (socket: Socket) => Peer {
  const counts = new Map<string, number>();
  const add = (name: string, change: number): void => {
    const now = (counts.get(name) ?? 0) + change;
    if (now === 0) counts.delete(name);
    else counts.set(name, now);
  };
  return (socket) => {
    const peer = peerOf(socket, mode);
    const { kind, name } = callers.crowdOf(peer);
    const bounds = [[name, kind === 'operator' ? limits.operator : limits.each], ...(kind === 'stranger' ? [['strangers', limits.strangers] as const] : [])] as const;
    for (const [each, limit] of bounds) {
      if ((counts.get(each) ?? 0) >= limit) throw new StepsealError('CONNECTION_LIMIT', `too many connections of ${each}`, { expected: `at most ${limit}` });
    }
    for (const [each] of bounds) add(each, 1);
    socket.once('close', () => {
      for (const [each] of bounds) add(each, -1);
    });
    return peer;
  };
}
