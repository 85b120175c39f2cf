import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { peerOf } from '../attestor/peer.ts';
import { procExe } from '../attestor/procfs.ts';
import { userName } from '../attestor/users.ts';
import { describeError } from '../base/errors.ts';
import { issueX509Svid } from '../ca/svid.ts';
import { assertSocketPath } from '../rpc/listen.ts';
import { createRpcServer } from '../rpc/server.ts';
import type { TlsIdentity } from '../rpc/tls.ts';
import { serveUnix } from '../rpc/unix.ts';
import { type AdminPeer, adminSealService, adminService, type ServerStatus } from './admin.ts';
import { serveAgentPort } from './agentPort.ts';
import { AGENT_SVID_SECONDS, type Core, faultOf } from './core.ts';
import { serveHttp } from './http.ts';
import { bundleOf, signingConfigOf } from './material.ts';
import { type OpenPorts, type OpenServer, openServer } from './open.ts';
import type { ServerOptions } from './options.ts';

export interface RunningServer {
  readonly trustDomain: string;
  readonly issuer: string;
  /** true when this start made the trust domain */
  readonly created: boolean;
  readonly keysFolder: string;
  readonly grpcAddress: string;
  readonly httpUrl: string;
  readonly adminSocket: string;
  /** Takes nothing new, lets running calls end for at most three seconds, then closes the data folder. */
  stop(): Promise<void>;
}

const RENEW_EVERY_MS = 60_000;
const OWN_SVID_MS = 15 * 60_000;
const GRACE_MS = 3_000;

/** Opens the data folder and serves it: gRPC with mTLS for agents, HTTP for everybody, the admin socket for its owner. Throws what opening and listening throw. */
export async function startServer(options: ServerOptions, ports: OpenPorts): Promise<RunningServer> {
  const adminSocket = options.adminSocket ?? join(options.data, 'admin.sock');
  assertSocketPath(adminSocket);
  const open = await openServer(options, ports);
  const stopping = new AbortController();
  const listeners: (() => Promise<void>)[] = [];
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    stopping.abort();
    // side by side: each may take the whole grace
    const ends = await Promise.allSettled(listeners.map((end) => end()));
    await open.close();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  };
  const stopOnce = (): Promise<void> => (stopped ??= stop());
  try {
    const { core } = open;
    const startedMs = core.clock.now();
    const http = await serveHttp(open, options);
    listeners.push(() => http.stop(GRACE_MS));
    const grpc = await serveAgentPort(core, options, await serverIdentity(core), stopping.signal);
    listeners.push(() => grpc.stop(GRACE_MS));
    const grpcAddress = `${options.host}:${grpc.port}`;
    const admin = await serveAdmin(core, adminSocket, {
      grpcAddress, startedMs,
      httpAddress: http.url,
      dataFolder: options.data,
      logSize: () => open.tlog.size(),
      ctSize: () => open.ctLog.size(),
      trustedRoot: open.trustedRoot,
      signingConfig: () => signingConfigOf(open, http.url),
      spiffeBundle: () => bundleOf(core),
    });
    listeners.push(admin, renewing(open, async () => grpc.renew(await serverIdentity(core))));
    return { trustDomain: core.trustDomain, issuer: core.issuer, created: open.authorities.created, keysFolder: join(options.data, 'keys'), grpcAddress, httpUrl: http.url, adminSocket, stop: stopOnce };
  } catch (error) {
    await stopOnce();
    throw error;
  }
}

async function serveAdmin(core: Core, path: string, status: ServerStatus): Promise<() => Promise<void>> {
  const rpc = createRpcServer<AdminPeer>({
    services: [adminService(core, status), adminSealService(core)],
    onFault: (error, method) => core.log.error({ method, error: faultOf(error) }, 'a call failed'),
  });
  const listener = await serveUnix<AdminPeer>(rpc, {
    path, mode: 0o600,
    admit: adminPeer,
    onRefused: (error) => core.log.warn({ error: describeError(error) }, 'a connection to the admin socket was refused'),
  });
  return async () => {
    const closed = listener.close();
    await rpc.stop(GRACE_MS);
    await closed;
  };
}

function adminPeer(socket: Socket): AdminPeer {
  const peer = peerOf(socket);
  const known = { uid: peer.uid, gid: peer.gid, user: userName(peer.uid), path: procExe(peer.folder) ?? '' };
  peer.assertAlive();
  return known;
}

/** The server's own SVID, `/spire/server`, which agents pin; its key is in memory only. */
async function serverIdentity(core: Core): Promise<TlsIdentity> {
  const [server] = core.registry.identify({ kind: 'role', role: 'server' });
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
  const { chain } = await issueX509Svid(core.identity.svids(), { spiffeId: server!.id.uri, spki: publicKey, seconds: AGENT_SVID_SECONDS });
  return { chain, key: privateKey };
}

/** Looks every minute what is past half its life; the server's own SVID is made anew each quarter of an hour, and when the clock has jumped. */
function renewing(open: OpenServer, renewServer: () => Promise<void>): () => Promise<void> {
  const { core, authorities } = open;
  let made = core.clock.now();
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (running) return;
    const work = async (): Promise<void> => {
      const renewed = await authorities.renew();
      if (renewed.length > 0) core.log.info({ renewed }, 'authorities renewed');
      const age = core.clock.now() - made;
      if (age >= 0 && age < OWN_SVID_MS && !renewed.includes('svid-ca')) return;
      await renewServer();
      made = core.clock.now();
    };
    running = work()
      .catch((error: unknown) => core.log.error({ error: describeError(error) }, 'renewal failed; tried again in a minute'))
      .finally(() => (running = undefined));
  }, RENEW_EVERY_MS);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
