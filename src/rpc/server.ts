import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Duplex } from 'node:stream';
import { StepsealError } from '../base/errors.ts';
import { MESSAGE_LIMIT, methodDefinition } from './definition.ts';
import { grpcHandler, type Implementation } from './handlers.ts';

export interface RpcServer<P> {
  /** Serves gRPC on a connection that is open already; `peer` is what its calls will see. */
  inject(connection: Duplex, peer: P): void;
  /** Lets running calls end for at most `graceMs`, then cuts every connection. */
  stop(graceMs: number): Promise<void>;
}

export interface RpcServerOptions<P> {
  readonly services: readonly Implementation<P>[];
  /** bytes of one message that is received; MESSAGE_LIMIT where it is not given */
  readonly receiveLimit?: number;
  /** calls of one connection at once; each may hold one message in memory before anything looks at the caller */
  readonly concurrent?: number;
  /** a handler threw what is no StepsealError, or INTERNAL */
  readonly onFault: (error: unknown, method: string) => void;
}

/**
 * A gRPC server without a listener: connections are injected (serveUnix, serveTls, or an inherited descriptor), each with
 * its peer. grpc-js tells a handler nothing of a Unix connection, therefore each injected one gets an own
 * `remoteAddress`, a token that `getPeer()` returns.
 */
export function createRpcServer<P>(options: RpcServerOptions<P>): RpcServer<P> {
  const peers = new Map<string, P>();
  const open = new Set<Duplex>();
  let last = 0;
  const server = new Server({
    'grpc.max_receive_message_length': options.receiveLimit ?? MESSAGE_LIMIT,
    'grpc.max_send_message_length': MESSAGE_LIMIT,
    'grpc.max_concurrent_streams': options.concurrent ?? 1000,
    'grpc.enable_channelz': 0,
  });
  const peerOf = (token: string): P => {
    if (!peers.has(token)) throw new StepsealError('PEER_UNKNOWN', 'the connection of this call is gone');
    return peers.get(token)!;
  };
  for (const of of options.services) {
    for (const name of Object.keys(of.service.method)) {
      const definition = methodDefinition(of.service, name);
      const type = definition.requestStream ? (definition.responseStream ? 'bidi' : 'clientStream') : definition.responseStream ? 'serverStream' : 'unary';
      server.register(definition.path, grpcHandler(of, name, peerOf, options.onFault) as never, definition.responseSerialize, definition.requestDeserialize, type);
    }
  }
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());

  return {
    inject(connection, peer) {
      const token = `peer-${++last}`;
      peers.set(token, peer);
      open.add(connection);
      Object.defineProperty(connection, 'remoteAddress', { value: token, configurable: true });
      Object.defineProperty(connection, 'remotePort', { value: undefined, configurable: true });
      connection.once('close', () => {
        peers.delete(token);
        open.delete(connection);
      });
      injector.injectConnection(connection);
    },
    async stop(graceMs) {
      injector.drain(graceMs);
      const drained = Promise.all([...open].map((connection) => new Promise((resolve) => connection.once('close', resolve))));
      const grace = Promise.withResolvers<void>();
      const timer = setTimeout(grace.resolve, graceMs);
      await Promise.race([drained, grace.promise]);
      clearTimeout(timer);
      server.forceShutdown();
      for (const connection of open) connection.destroy();
    },
  };
}
