import type { Callers } from '../attestor/callers.ts';
import type { Clock, Prehash, Rng } from '../base/ports.ts';
import type { Stub } from '../rpc/client.ts';
import type { Node } from '../rpc/gen/stepseal/node_pb.js';
import type { CallerOf } from './caller.ts';
import type { JwtSvids } from './jwtSvids.ts';
import type { Logger } from './log.ts';
import type { TrustStore } from './trust.ts';
import type { X509Svids } from './x509Svids.ts';

/** The server as this agent reaches it. */
export interface ServerLink {
  /** stepseal.node.v1.Node; asked for at each call, never kept: a renewed SVID means a new connection */
  node(): Stub<typeof Node>;
}

/** What the services of one agent share. */
export interface AgentCore {
  /** its SPIFFE ID */
  readonly id: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly prehash: Prehash;
  readonly log: Logger;
  readonly server: ServerLink;
  readonly trust: TrustStore;
  readonly callers: Callers;
  readonly callerOf: CallerOf;
  readonly x509Svids: X509Svids;
  readonly jwtSvids: JwtSvids;
  /** To be called after callers.openStep: callers that were held may have an identity now. */
  stepOpened(): void;
  /** To be called after callers.endStep: ends the streams of the attempt and forgets what was issued for it. */
  stepEnded(attempt: string): void;
}
