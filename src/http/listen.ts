import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Server } from 'node:http';
import { listenTcp, listenUnix } from '../rpc/listen.ts';

export interface HttpListener {
  readonly port: number;
  /** Lets running requests end for at most `graceMs`, then cuts every connection. */
  stop(graceMs: number): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 2_000;

/** HTTP/1.1 on a TCP port. Throws PORT_TAKEN, ADDRESS_UNUSABLE. */
export async function serveHttpTcp(app: Hono, { host, port }: { readonly host: string; readonly port: number }): Promise<HttpListener> {
  const server = httpServer(app);
  return { port: await listenTcp(server, host, port), stop: (graceMs) => stop(server, graceMs) };
}

/** HTTP/1.1 on a Unix socket with the given mode. Throws as listenUnix. */
export async function serveHttpUnix(app: Hono<never>, { path, mode, onServer }: { readonly path: string; readonly mode: number; readonly onServer?: (server: Server) => void }): Promise<HttpListener> {
  const server = httpServer(app as unknown as Hono);
  onServer?.(server);
  await listenUnix(server, path, mode);
  return { port: 0, stop: (graceMs) => stop(server, graceMs) };
}

function httpServer(app: Hono): Server {
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

async function stop(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
