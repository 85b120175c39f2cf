import { toBase64Url } from '../base/base64.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { Admin } from '../rpc/gen/stepseal/admin_pb.js';
import { Seal } from '../rpc/gen/stepseal/seal_pb.js';
import { implement, type Implementation } from '../rpc/handlers.ts';
import { contentOf } from '../signer/content.ts';
import { seal } from '../signer/seal.ts';
import { addJoinToken } from '../store/joinTokens.ts';
import type { Core } from './core.ts';
import { finishRun } from './finish.ts';
import { createRun } from './runs.ts';
import { sealAll } from './sealing.ts';

/** Who is on the admin socket, by the kernel. */
export interface AdminPeer {
  readonly uid: number;
  readonly gid: number;
  /** name of the uid; '' where the system has none */
  readonly user: string;
  readonly path: string;
}

export interface ServerStatus {
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly dataFolder: string;
  readonly startedMs: number;
  readonly logSize: () => number;
  readonly ctSize: () => number;
  readonly trustedRoot: () => Uint8Array;
  readonly signingConfig: () => Uint8Array;
  readonly spiffeBundle: () => Uint8Array;
}

/** As many bundles as fit into one answer. */
export const MAX_ADMIN_ITEMS = 2_000;

const DEFAULT_TTL_SECONDS = 600;
const MAX_TTL_SECONDS = 24 * 3600;

/** stepseal.admin.v1.Admin: for whoever may open the admin socket. */
export function adminService(core: Core, status: ServerStatus): Implementation<AdminPeer> {
  return implement(Admin, {
    createJoinToken({ ttlSeconds }) {
      if (ttlSeconds > MAX_TTL_SECONDS) throw new StepsealError('USAGE', 'the token would live too long', { expected: `at most ${MAX_TTL_SECONDS} s`, found: `${ttlSeconds}` });
      const now = core.clock.now();
      const expires = now + (ttlSeconds === 0 ? DEFAULT_TTL_SECONDS : ttlSeconds) * 1000;
      const token = toBase64Url(core.rng.bytes(24));
      addJoinToken(core.db, { token, now, expires });
      return { token, expiresMs: BigInt(expires) };
    },
    getTrust: () => ({
      trustDomain: core.trustDomain,
      issuer: core.issuer,
      trustedRoot: status.trustedRoot(),
      signingConfig: status.signingConfig(),
      spiffeBundle: status.spiffeBundle(),
    }),
    getStatus: () => ({
      version: core.version,
      trustDomain: core.trustDomain,
      issuer: core.issuer,
      grpcAddress: status.grpcAddress,
      httpAddress: status.httpAddress,
      dataFolder: status.dataFolder,
      startedMs: BigInt(status.startedMs),
      logSize: BigInt(status.logSize()),
      ctSize: BigInt(status.ctSize()),
      memory: BigInt(process.memoryUsage.rss()),
    }),
    createRun: (request) => createRun(core, request),
    finishRun: (request) => finishRun(core, request),
  });
}

/** stepseal.seal.v1.Seal on the admin socket: the person there seals digests and statements; files are the client's to hash. */
export function adminSealService(core: Core): Implementation<AdminPeer> {
  return implement(Seal, {
    async seal(request, call) {
      const started = performance.now();
      const { length } = request.items;
      if (length > MAX_ADMIN_ITEMS) throw new StepsealError('SEAL_INVALID', 'too many items for one answer', { expected: `at most ${MAX_ADMIN_ITEMS}`, found: `${length}` });
      const identity = core.registry.identify({ kind: 'workload', ...call.peer, operator: true }).find(({ roads }) => roads.includes('seal'));
      if (identity === undefined) throw new StepsealError('IDENTITY_NONE', 'no template gives the person at this socket an identity', { found: call.peer.user });
      const spiffeId = identity.id.uri;
      core.registry.authorizeSigning({ spiffeId, road: 'seal' });
      const contents = request.items.map(contentOf);
      const sealed = await seal(
        { caller: { who: { case: 'workload', value: { ...call.peer, operator: true } } }, spiffeId, contents },
        {
          clock: core.clock,
          rng: core.rng,
          prehash: core.prehash,
          submit: (order) => sealAll(order, { spiffeId, attempt: 'workload', role: 'caller' }, core.sealing),
        },
      );
      return {
        spiffeId,
        items: sealed.map(({ name, sha256, bundle, logIndex }) => ({ name, sha256: toHex(sha256), bundle, logIndex: BigInt(logIndex) })),
        elapsedUs: BigInt(Math.round((performance.now() - started) * 1000)),
      };
    },
  });
}
