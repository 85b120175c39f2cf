import { createServer, type Socket } from 'node:net';
import { listenUnix } from './listen.ts';
import type { RpcServer } from './server.ts';

export interface Listener {
  /** Takes no new connections; the open ones are the RpcServer's to stop. */
  close(): Promise<void>;
}

export interface UnixOptions<P> {
  readonly path: string;
  /** 0o600: the owner only; 0o666: every user of the machine */
  readonly mode: number;
  /** Called for each connection before a byte is read; what it throws is told to `onRefused` and closes the connection. */
  readonly admit: (socket: Socket) => P;
  readonly onRefused: (error: unknown) => void;
}

/** gRPC on a Unix socket. Throws as listenUnix. */
export async function serveUnix<P>(rpc: RpcServer<P>, options: UnixOptions<P>): Promise<Listener> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    try {
      rpc.inject(socket, options.admit(socket));
    } catch (error) {
      socket.destroy();
      options.onRefused(error);
    }
  });
  await listenUnix(server, options.path, options.mode);
  return { close: () => new Promise((resolve) => void server.close(() => resolve())) };
}
