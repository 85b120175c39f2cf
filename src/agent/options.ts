import type { PeerMode } from '../attestor/peer.ts';
import type { Clock, Prehash, Rng } from '../base/ports.ts';
import type { Logger } from './log.ts';

/** How an agent is started. */
export interface AgentOptions {
  /** its folder, absolute; made where it is not there, one agent at a time */
  readonly data: string;
  /** the server's gRPC address */
  readonly server: { readonly host: string; readonly port: number };
  /** SPIFFE bundle document that the server is known by at first contact; afterwards the agent keeps its own */
  readonly trustBundle: Uint8Array | undefined;
  /** what the trust domain must be, where that is said */
  readonly trustDomain: string | undefined;
  /** one-time token; needed to join, afterwards only when the server no longer knows this agent */
  readonly joinToken: string | undefined;
  /** folder of the sockets, absolute */
  readonly socketDir: string;
  readonly peerMode: 'auto' | PeerMode;
  /** inherited connection of the process that may register steps */
  readonly runnerFd: number | undefined;
  readonly limits?: Partial<AgentLimits>;
}

export interface AgentLimits {
  /** ms that a caller without identity is held on its stream */
  readonly holdMs: number;
  /** ms that a first join waits for a server that does not answer */
  readonly joinWaitMs: number;
  /** identities, and as many tokens, that are kept */
  readonly cached: number;
  /** ms between two looks at what is due; bounds how late a jump of the clock is noticed */
  readonly tickMs: number;
  /** ms without a word from the server until it is asked for one, and then until it counts as away */
  readonly keepaliveMs: number;
  /** ms of the first and the longest pause between two tries to reach the server */
  readonly backoffMs: { readonly first: number; readonly longest: number };
}

export const DEFAULT_LIMITS: AgentLimits = { holdMs: 30_000, joinWaitMs: 10_000, cached: 1000, tickMs: 1000, keepaliveMs: 20_000, backoffMs: { first: 250, longest: 15_000 } };

export interface AgentPorts {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly prehash: Prehash;
  readonly log: Logger;
}

export const WORKLOAD_SOCKET = 'workload.sock';
export const SEAL_SOCKET = 'seal.sock';
