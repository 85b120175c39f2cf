import type { Peer } from '../attestor/peer.ts';
import type { HttpApp } from '../http/app.ts';
import type { Implementation } from '../rpc/handlers.ts';
import type { AgentCore } from './core.ts';

/** What is served beside the Workload API. */
export interface AgentParts {
  /** on the workload socket */
  readonly services: readonly Implementation<Peer>[];
  /** on the seal socket; none: no such socket */
  readonly sealApp: HttpApp<Peer> | undefined;
  /** Ends what the parts hold, before the sockets close. */
  stop(): Promise<void>;
}

export interface PartsOptions {
  /** the agent's folder */
  readonly data: string;
  readonly runnerFd: number | undefined;
}

/** Runner and Seal over the core. */
export type MakeParts = (core: AgentCore, options: PartsOptions) => Promise<AgentParts>;
