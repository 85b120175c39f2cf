import type { Duplex } from 'node:stream';
import { seldom } from '../base/seldom.ts';
import { describeError, StepsealError } from '../base/errors.ts';
import { createHealth } from '../rpc/health.ts';
import { createRpcServer, type RpcServer } from '../rpc/server.ts';
import { serveTls, type TlsIdentity, type TlsListener } from '../rpc/tls.ts';
import { agentService, bundleService } from './agents.ts';
import { type Core, faultOf } from './core.ts';
import { orOption } from './http.ts';
import { nodeService } from './node.ts';
import type { ServerOptions } from './options.ts';
import { admitPeer, type Peer } from './peers.ts';

/** What somebody without an SVID may hold of this server: a join request has a few hundred bytes. */
const ANYBODY = { receiveLimit: 64 * 1024, concurrent: 8 };
const MAX_ANONYMOUS = 200;

export interface AgentPort extends Pick<TlsListener, 'port' | 'renew'> {
  stop(graceMs: number): Promise<void>;
}

/**
 * The gRPC port. Whoever shows no SVID gets the same services by another server with small limits: a message is in memory
 * before a method can ask who sent it, and every step of this machine reaches the port. Throws PORT_TAKEN, ADDRESS_UNUSABLE.
 */
export async function serveAgentPort(core: Core, { host, grpcPort }: ServerOptions, identity: TlsIdentity, stopping: AbortSignal): Promise<AgentPort> {
  const peers = { db: core.db, clock: core.clock, trustDomain: core.trustDomain, identityRoots: core.identity.roots };
  const health = createHealth();
  const options = {
    services: [agentService(core, peers), bundleService(core), nodeService(core, peers, stopping), health.implementation],
    onFault: (error: unknown, method: string) => core.log.error({ method, error: faultOf(error) }, 'a call failed'),
  };
  const agents = createRpcServer<Peer>(options);
  const anybody = createRpcServer<Peer>({ ...options, ...ANYBODY });
  const warn = seldom(core.clock, core.log.warn.bind(core.log));
  const listener = await orOption('grpc-port', serveTls<Peer>(byPeer(agents, anybody), {
    host, port: grpcPort, identity,
    admit: (peer) => admitPeer(peer, peers),
    onRefused: (error) => warn({ error: describeError(error) }, 'a connection was refused'),
  }));
  return {
    port: listener.port,
    renew: listener.renew,
    async stop(graceMs) {
      health.set('', false);
      await Promise.all([listener.close(), agents.stop(graceMs), anybody.stop(graceMs)]);
    },
  };
}

/** Agents always find room: the others are counted. */
function byPeer(agents: RpcServer<Peer>, anybody: RpcServer<Peer>): Pick<RpcServer<Peer>, 'inject'> {
  let anonymous = 0;
  return {
    inject(connection: Duplex, peer: Peer) {
      if (peer.kind === 'agent') return agents.inject(connection, peer);
      if (anonymous === MAX_ANONYMOUS) throw new StepsealError('CONNECTION_LIMIT', 'too many connections without an SVID', { expected: `at most ${MAX_ANONYMOUS}` });
      anonymous++;
      connection.once('close', () => void anonymous--);
      return anybody.inject(connection, peer);
    },
  };
}
