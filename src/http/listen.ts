import { getRequestListener } from '@hono/node-server';
import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { StepsealError } from '../base/errors.ts';
import { listenTcp, listenUnix } from '../rpc/listen.ts';
import { errorBody, type HttpApp } from './app.ts';

export interface HttpListener {
  /** 0 on a Unix socket */
  readonly port: number;
  /** Takes no new connections, closes idle ones, lets running requests end for at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface UnixPlace<P> {
  readonly path: string;
  readonly mode: number;
  /** Called for each connection before a byte is read; what it throws is told to `onRefused` and closes the connection. */
  readonly admit: (socket: Socket) => P;
  readonly onRefused: (error: unknown) => void;
}

const HEADERS_MS = 10_000;
const REQUEST_MS = 60_000;
const IDLE_MS = 5_000;
/** Whoever reaches the port can open them; what is beyond is closed at once, before descriptors run out for everything else. */
const MAX_CONNECTIONS = 1000;

/** What is served: any hono app. */
interface Fetches {
  fetch(request: Request, env: never): Response | Promise<Response>;
}

/** HTTP/1.1 on a TCP port (0: any free one). Throws PORT_TAKEN, ADDRESS_UNUSABLE. */
export function serveHttpTcp(app: Fetches, { host, port }: { readonly host: string; readonly port: number }): Promise<HttpListener> {
  return start(app, () => undefined, (server) => {
    server.maxConnections = MAX_CONNECTIONS;
    return listenTcp(server, host, port);
  });
}

/** HTTP/1.1 on a Unix socket; requests know their peer as `context.env.peer`. Throws as listenUnix. */
export function serveHttpUnix<P>(app: HttpApp<P>, place: UnixPlace<P>): Promise<HttpListener> {
  const peers = new WeakMap<Socket, P>();
  return start(
    app,
    ({ socket }) => {
      if (!peers.has(socket)) throw new StepsealError('PEER_UNKNOWN', 'nothing is known of this connection');
      return peers.get(socket);
    },
    async (server) => {
      server.prependListener('connection', (socket: Socket) => {
        try {
          peers.set(socket, place.admit(socket));
        } catch (error) {
          socket.destroy();
          place.onRefused(error);
        }
      });
      await listenUnix(server, place.path, place.mode);
      return 0;
    },
  );
}

type HttpServer = ReturnType<typeof createServer>;

async function start(app: Fetches, peerOf: (request: IncomingMessage) => unknown, listen: (server: HttpServer) => Promise<number>): Promise<HttpListener> {
  const listener = getRequestListener(
    (request, env) => app.fetch(request, { ...env, peer: peerOf(env.incoming as IncomingMessage) } as never),
    {
      overrideGlobalObjects: false,
      errorHandler: (error) => Response.json(errorBody(error), { status: error instanceof StepsealError ? 403 : 400 }),
    },
  );
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: IDLE_MS }, (request, response) => void listener(request, response));
  const port = await listen(server);
  return {
    port,
    async stop(graceMs) {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}
