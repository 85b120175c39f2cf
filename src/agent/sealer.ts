import { ARTIFACT_LIMITS, hashFile } from '../attestor/file.ts';
import type { Peer } from '../attestor/peer.ts';
import { closeAll, pinProc, procRights } from '../attestor/procfs.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Item } from '../rpc/gen/stepseal/seal_pb.js';
import { contentOf } from '../signer/content.ts';
import { type Content, seal, type SealedContent } from '../signer/seal.ts';
import type { Attempt, Attempts } from './attempts.ts';
import type { AttestedCaller } from './caller.ts';
import type { AgentCore } from './core.ts';

export interface SealedForCaller {
  readonly spiffeId: string;
  readonly items: readonly SealedContent[];
}

/** Seals what the process behind a connection names. */
export type Sealer = (peer: Peer, items: readonly Item[]) => Promise<SealedForCaller>;

const MAX_ITEMS = 10_000;
/** of one attempt, whose claim names them all, and whose end looks at the files again */
const MAX_ATTEMPT_ITEMS = 20_000;
/** one key, certificate and server call for so many: the answer must fit into a message of 16 MiB */
const BATCH = 1000;
const BATCH_BYTES = 4 * 1024 * 1024;

/**
 * Attests the caller, opens and hashes the files that it names with its own rights, and has all signed as its identity.
 * Throws SEAL_INVALID, IDENTITY_NONE, FILE_*, what attesting throws, and what Node.Seal answers (PREDICATE_RESERVED,
 * ROAD_NOT_ALLOWED, ATTEMPT_ENDED).
 */
export function createSealer(core: AgentCore, attempts: Attempts): Sealer {
  return async (peer, items) => {
    if (items.length === 0 || items.length > MAX_ITEMS) {
      throw new StepsealError('SEAL_INVALID', 'a Seal holds at least one item, and not too many', { expected: `1 to ${MAX_ITEMS}`, found: `${items.length}` });
    }
    const caller = await core.callerOf(peer);
    const attempt = caller.attempt === undefined ? undefined : attempts.find(caller.attempt);
    if (caller.attempt !== undefined && attempt === undefined) throw new StepsealError('ATTEMPT_ENDED', 'the step has ended');
    if (attempt === undefined) return sealItems(core, peer, caller, attempt, items, () => undefined);
    if (attempt.asked + items.length > MAX_ATTEMPT_ITEMS) {
      throw new StepsealError('SEAL_INVALID', 'a step has no more than so many things sealed', { expected: `at most ${MAX_ATTEMPT_ITEMS}`, found: `${attempt.asked + items.length}` });
    }
    attempt.asked += items.length;
    const work = sealItems(core, peer, caller, attempt, items, () => {
      if (attempts.find(attempt.id) === undefined) throw new StepsealError('ATTEMPT_ENDED', 'the step has ended');
    });
    // the step's end waits for what is under way, so that its claim names all of it
    attempt.underWay.add(work);
    try {
      return await work;
    } finally {
      attempt.underWay.delete(work);
    }
  };
}

async function sealItems(
  core: AgentCore, peer: Peer, caller: AttestedCaller, attempt: Attempt | undefined, items: readonly Item[], assertOpen: () => void,
): Promise<SealedForCaller> {
  const spiffeId = attempt?.spiffeId ?? (await sealIdentity(core, caller));
  const contents = await contentsOf(peer, items, assertOpen);
  const sealed: SealedContent[] = [];
  for (const batch of batches(contents)) {
    // it may have ended, or become another program, while files were hashed
    const now = await core.callerOf(peer);
    if (now.key !== caller.key) throw new StepsealError('PEER_GONE', 'the caller is no longer the program that it was when it asked');
    sealed.push(...(await seal({ caller: caller.caller, spiffeId, contents: batch }, { ...core, submit: (request) => core.server.node().seal(request) })));
  }
  attempt?.seals.push(...contents.map(({ kind }, i) => ({ kind, sha256: toHex(sealed[i]!.sha256) })));
  for (const [i, { what }] of items.entries()) if (what.case === 'path') attempt?.sealedFiles.set(what.value, toHex(sealed[i]!.sha256));
  return { spiffeId, items: sealed };
}

/** The first identity of a workload that may sign by the agent's hand. */
async function sealIdentity(core: AgentCore, caller: AttestedCaller): Promise<string> {
  const { identities } = await core.server.node().identify(caller.caller);
  const identity = identities.find(({ roads }) => roads.includes('seal'));
  if (identity === undefined) throw new StepsealError('IDENTITY_NONE', 'the caller has no identity that may sign');
  return identity.spiffeId;
}

/** `assertOpen` before each item: the end of a step waits for no more than the file that is being read. */
async function contentsOf(peer: Peer, items: readonly Item[], assertOpen: () => void): Promise<Content[]> {
  // the caller's own root: it may have changed it since the step began
  const rootFd = items.some(({ what }) => what.case === 'path') ? pinProc(peer.folder, 'root') : undefined;
  try {
    const contents: Content[] = [];
    for (const item of items) {
      assertOpen();
      contents.push(item.what.case === 'path' ? await hashed(peer, rootFd, item.name, item.what.value) : contentOf(item));
    }
    return contents;
  } finally {
    closeAll(rootFd);
  }
}

async function hashed(peer: Peer, rootFd: number | undefined, name: string, path: string): Promise<Content> {
  const rights = procRights(peer.folder);
  peer.assertAlive();
  if (rootFd === undefined || rights === undefined) throw new StepsealError('FILE_FAILED', 'the agent may not look into the caller\'s file system', { found: path });
  const { sha256 } = await hashFile({ rootFd, path, rights, limits: ARTIFACT_LIMITS });
  return { kind: 'artifact', name, sha256 };
}

function batches(contents: readonly Content[]): Content[][] {
  const out: Content[][] = [[]];
  let bytes = 0;
  for (const content of contents) {
    const size = content.kind === 'statement' ? content.payload.length : 0;
    if (out.at(-1)!.length === BATCH || (bytes + size > BATCH_BYTES && out.at(-1)!.length > 0)) {
      out.push([]);
      bytes = 0;
    }
    out.at(-1)!.push(content);
    bytes += size;
  }
  return out;
}
