import type { Signer } from '../base/ports.ts';
import { viewTree } from '../merkle/proof.ts';
import { tlogCheckpoints } from './checkpoints.ts';
import { startEngine } from './engine.ts';
import { TLOG, tlogEntry } from './format.ts';
import { createReader } from './reader.ts';
import type { LogStorage } from './storage.ts';
import type { Log } from './types.ts';

export interface LogOptions {
  readonly storage: LogStorage;
  /** Ed25519 or ECDSA P-256 */
  readonly signer: Signer;
  /** name of the checkpoint and of its key; never changes, never used again */
  readonly origin: string;
  /** Told of failures without consequence. */
  readonly warn: (error: unknown) => void;
}

/**
 * Opens the transparency log, tlog-tiles with Rekor v2's key ids. Throws LOG_CORRUPT, STORE_FAILED, LOG_KEY_UNSUPPORTED.
 */
export async function openLog({ storage, signer, origin, warn }: LogOptions): Promise<Log> {
  const checkpoints = tlogCheckpoints(origin, signer);
  const engine = await startEngine({ storage, format: TLOG, checkpoints, warn });
  return {
    ...createReader(engine, checkpoints.key),
    async append(entries) {
      const made = entries.map(tlogEntry);
      const bytes = made.reduce((sum, { framed }) => sum + framed.length, 0);
      const submissions = made.map((entry) => ({ key: entry.key, make: () => entry }));
      const { places, tree } = await engine.queue.submit({ submissions, bytes, answer: (found) => ({ places: found, tree: engine.signed() }) });
      const proofs = await engine.tiles.withHashes((hashAt) => {
        const view = viewTree(tree.size, hashAt);
        return places.map(({ index }) => view.inclusion(index));
      });
      return places.map(({ index, duplicate }, i) => ({
        index,
        duplicate,
        treeSize: tree.size,
        rootHash: tree.root,
        hashes: proofs[i]!,
        checkpoint: tree.checkpoint,
      }));
    },
  };
}
