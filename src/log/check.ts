import { equalBytes } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { type LogKey, openCheckpoint } from '../merkle/checkpoint.ts';
import { viewTree } from '../merkle/proof.ts';
import { TILE_WIDTH, tilePath } from '../merkle/tile.ts';
import { appendToEdge, type Edge, type FullTile } from './edge.ts';
import type { LogFormat, StoredEntry } from './format.ts';
import { readBundle, readTail } from './recover.ts';
import type { Head, LogStorage } from './storage.ts';
import { corrupt, createTiles, readFullTile } from './tiles.ts';
import { tileBytes } from './tileTree.ts';

export interface LogReport {
  readonly size: number;
  readonly root: Uint8Array;
  /** files read and found as they must be */
  readonly files: number;
  /** LOG_CORRUPT and CHECKPOINT_* errors, each naming a file; none for a log that is whole */
  readonly problems: readonly StepsealError[];
}

export interface CheckOptions {
  readonly storage: LogStorage;
  readonly format: LogFormat;
  readonly key: LogKey;
}

/** Enough to see what happened; a broken disk has thousands. */
const PROBLEM_LIMIT = 100;

/**
 * Re-derives the whole committed tree from its entries, and compares: every entries tile, every hash tile, the tail, the
 * root, the key index in both directions, the published checkpoint with its signature and its place in the history.
 * Reads every byte; of the store it throws STORE_FAILED only, all else is a problem in the report.
 */
export async function checkLog({ storage, format, key }: CheckOptions): Promise<LogReport> {
  const problems: StepsealError[] = [];
  let files = 0;
  const head = await storage.head();
  const edge: Edge = { levels: [] };
  const tiles = createTiles(storage, edge);

  async function attempt(body: () => Promise<void>): Promise<void> {
    try {
      await body();
      files++;
    } catch (error) {
      if (!isStepsealError(error) || error.code === 'STORE_FAILED') throw error;
      if (problems.length < PROBLEM_LIMIT) problems.push(error);
    }
  }

  async function addEntries(entries: readonly StoredEntry[], first: number): Promise<void> {
    const full: FullTile[] = [];
    for (const { leafHash } of entries) appendToEdge(edge, leafHash, (tile) => full.push(tile));
    for (const tile of full) await attempt(() => compareTile(storage, tile));
    await attempt(() => compareKeys(storage, entries, first));
  }

  // an unreadable bundle still has its hashes in the tile beside it: going on with them finds what else is wrong
  async function addHashes(bundle: number): Promise<void> {
    const bytes = await readFullTile(storage, tilePath(0, bundle));
    for (let i = 0; i < TILE_WIDTH; i++) appendToEdge(edge, bytes.subarray(i * 32, i * 32 + 32), () => {});
  }

  async function readAll({ size, root, tail }: Head): Promise<void> {
    const full = Math.floor(size / TILE_WIDTH);
    for (let bundle = 0; bundle < full; bundle++) {
      let entries: StoredEntry[] | undefined;
      await attempt(async () => void (entries = await readBundle(storage, format, bundle)));
      if (entries) await addEntries(entries, bundle * TILE_WIDTH);
      else await attempt(() => addHashes(bundle));
    }
    await attempt(async () => addEntries(await readTail(storage, format, { size, root, tail }), full * TILE_WIDTH));
    if (problems.length > 0) return;
    const found = viewTree(size, tiles.hashInMemory).root();
    if (!equalBytes(found, root)) problems.push(corrupt(tail ? storage.locateTail(tail) : storage.locate('tile'), `the root ${toHex(root)}`, toHex(found)));
  }

  if (head) await readAll(head);
  await attempt(() => checkKeyCount(storage, head?.size ?? 0));
  if (problems.length === 0) await attempt(() => checkCheckpoint());

  async function checkCheckpoint(): Promise<void> {
    const text = await storage.readCheckpoint();
    if (text === undefined) return;
    const { size, root } = openCheckpoint(text, key);
    const file = storage.locate('checkpoint');
    if (size > (head?.size ?? 0)) throw corrupt(file, `at most ${head?.size ?? 0} entries`, `${size} entries`);
    const derived = await tiles.withHashes((hashAt) => viewTree(size, hashAt).root());
    if (!equalBytes(root, derived)) throw corrupt(file, `the root ${toHex(derived)} for ${size} entries`, toHex(root));
  }

  return { size: head?.size ?? 0, root: head?.root ?? viewTree(0, tiles.hashInMemory).root(), files, problems };
}

async function compareTile(storage: LogStorage, { level, index, tile }: FullTile): Promise<void> {
  const path = tilePath(level, index);
  const bytes = await readFullTile(storage, path);
  if (!equalBytes(bytes, tileBytes(tile))) throw corrupt(storage.locate(path), 'the hashes of the entries below it', 'other hashes');
}

async function compareKeys(storage: LogStorage, entries: readonly StoredEntry[], first: number): Promise<void> {
  const found = await storage.lookup(entries.map(({ key }) => key));
  const wrong = found.findIndex((index, i) => index !== first + i);
  if (wrong >= 0) throw corrupt(storage.locate('keys'), `entry ${first + wrong} under its key`, found[wrong] === undefined ? 'no such key' : `entry ${found[wrong]}`);
}

async function checkKeyCount(storage: LogStorage, size: number): Promise<void> {
  let count = 0;
  for (const { index } of storage.keys()) {
    count++;
    if (index >= size) throw corrupt(storage.locate('keys'), `entries below ${size}`, `entry ${index}`);
  }
  if (count !== size) throw corrupt(storage.locate('keys'), `${size} keys`, `${count} keys`);
}
