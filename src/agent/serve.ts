import { join } from 'node:path';
import type { Socket } from 'node:net';
import { createCallers } from '../attestor/callers.ts';
import type { Peer } from '../attestor/peer.ts';
import { openTaint } from '../attestor/taint.ts';
import { describeError } from '../base/errors.ts';
import { seldom } from '../base/seldom.ts';
import { serveHttpUnix } from '../http/listen.ts';
import { makeFolder, preparePrivateFolder } from '../keys/files.ts';
import { Health } from '../rpc/gen/grpc/health/v1/health_pb.js';
import { SpiffeWorkloadAPI } from '../rpc/gen/workload_pb.js';
import { reflection } from '../rpc/reflection.ts';
import { assertSocketPath } from '../rpc/listen.ts';
import { createRpcServer } from '../rpc/server.ts';
import { serveUnix } from '../rpc/unix.ts';
import { lockFolder } from '../store/lock.ts';
import { createBell } from './bell.ts';
import { attemptKey, callerOf } from './caller.ts';
import type { AgentCore } from './core.ts';
import { createCrowd, CROWD_LIMITS } from './crowd.ts';
import { agentHealth } from './health.ts';
import { openIdentity } from './identity.ts';
import { createJwtSvids } from './jwtSvids.ts';
import { openLink } from './link.ts';
import { type AgentOptions, type AgentPorts, DEFAULT_LIMITS, SEAL_SOCKET, WORKLOAD_SOCKET } from './options.ts';
import type { AgentParts, MakeParts } from './parts.ts';
import { writeTrust } from './state.ts';
import { createTrustStore } from './trust.ts';
import { workloadApi } from './workloadApi.ts';
import { createX509Svids } from './x509Svids.ts';

export interface RunningAgent {
  readonly id: string;
  readonly trustDomain: string;
  readonly workloadSocket: string;
  /** none where no part serves it */
  readonly sealSocket: string | undefined;
  stop(): Promise<void>;
}

const GRACE_MS = 2_000;
const EVERYBODY = 0o666;
/** A message is in memory before its caller is attested. Ten thousand digests have a megabyte; what is larger goes over the seal socket. */
const CALLER_LIMITS = { receiveLimit: 1024 * 1024, concurrent: 16 };
const EXE = { hashExe: false, exeLimit: 256 * 1024 * 1024 };

/**
 * Takes the agent's folder, joins where it has not, and serves its sockets. A server that is away does not keep a joined
 * agent from starting. Throws FOLDER_LOCKED, what openIdentity throws, and what listening throws.
 */
export async function startAgent(options: AgentOptions, ports: AgentPorts, makeParts: MakeParts): Promise<RunningAgent> {
  // a join token works once
  assertSocketPath(join(options.socketDir, WORKLOAD_SOCKET));
  const lock = lockFolder(options.data);
  const closers: (() => unknown)[] = [() => lock.release()];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    await preparePrivateFolder(options.data);
    return await serve(options, ports, makeParts, closers, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function serve(options: AgentOptions, ports: AgentPorts, makeParts: MakeParts, closers: (() => unknown)[], stop: () => Promise<void>): Promise<RunningAgent> {
  const { clock, rng, prehash, log } = ports;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const state = await openIdentity(options, ports, limits);
  const bell = createBell(limits.tickMs);
  const trust = createTrustStore(state.trust, (next) => writeTrust(options.data, next));
  const link = openLink(state, { clock, rng, log, trust, bell, limits, data: options.data, server: options.server });
  closers.push(() => link.stop(), () => bell.stop());

  const callers = createCallers(openTaint(options.data));
  const svidPorts = { clock, rng, server: link, trust, limit: limits.cached };
  const core: AgentCore = {
    id: state.identity.id,
    trustDomain: state.trust.trustDomain,
    clock, rng, prehash, log, trust, callers,
    server: link,
    callerOf: callerOf(callers, EXE),
    x509Svids: createX509Svids(svidPorts),
    jwtSvids: createJwtSvids(svidPorts),
    stepOpened: () => bell.ring(),
    stepEnded(attempt) {
      const key = attemptKey(attempt);
      core.x509Svids.drop(key);
      core.jwtSvids.drop(key);
      bell.ring();
    },
  };
  const parts = await makeParts(core, options);
  closers.push(() => parts.stop());

  makeFolder(options.socketDir);
  const admit = createCrowd(callers, options.peerMode, CROWD_LIMITS);
  const warn = seldom(clock, log.warn.bind(log));
  const onRefused = (error: unknown): void => warn({ error: describeError(error) }, 'a connection was refused');
  const workloadSocket = join(options.socketDir, WORKLOAD_SOCKET);
  const services = [
    workloadApi(core, { bell, callerOf: core.callerOf, holdMs: limits.holdMs }),
    agentHealth(link, bell),
    ...parts.services,
    reflection([SpiffeWorkloadAPI, Health, ...parts.services.map(({ service }) => service)]),
  ];
  const rpc = createRpcServer<Peer>({ services, ...CALLER_LIMITS, onFault: (error, method) => log.error({ method, error: String(error) }, 'a call failed') });
  const listener = await serveUnix<Peer>(rpc, { path: workloadSocket, mode: EVERYBODY, admit, onRefused });
  closers.push(async () => {
    const closed = listener.close();
    // the streams end with AGENT_STOPPED
    bell.stop();
    await rpc.stop(GRACE_MS);
    await closed;
  });
  const sealSocket = await serveSeal(parts, join(options.socketDir, SEAL_SOCKET), { admit, onRefused }, closers);
  log.info({ agent: core.id, workloadSocket }, 'serving');
  return { id: core.id, trustDomain: core.trustDomain, workloadSocket, sealSocket, stop };
}

async function serveSeal(
  { sealApp }: AgentParts, path: string, place: { readonly admit: (socket: Socket) => Peer; readonly onRefused: (error: unknown) => void }, closers: (() => unknown)[],
): Promise<string | undefined> {
  if (sealApp === undefined) return undefined;
  const listener = await serveHttpUnix(sealApp, { path, mode: EVERYBODY, ...place });
  closers.push(() => listener.stop(GRACE_MS));
  return path;
}
