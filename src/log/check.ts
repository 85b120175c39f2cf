import { equalBytes } from '../base/bytes.ts';
import { isStepsealError, type StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { type LogKey, openCheckpoint } from '../merkle/checkpoint.ts';
import { EMPTY_ROOT, HASH_SIZE } from '../merkle/hash.ts';
import { viewTree } from '../merkle/proof.ts';
import { TILE_WIDTH, tilePath } from '../merkle/tile.ts';
import { appendToEdge, type Edge, type FullTile } from './edge.ts';
import type { LogFormat, StoredEntry } from './format.ts';
import { compareBundle, readBundle, readTail, wrongRoot } from './recover.ts';
import type { Head, LogStorage } from './storage.ts';
import { corrupt, createTiles, readFullTile, type Tiles } from './tiles.ts';
import { tileBytes } from './tileTree.ts';

export interface LogReport {
  readonly size: number;
  readonly root: Uint8Array;
  /** LOG_CORRUPT and CHECKPOINT_* errors, each naming a file, at most 100; none for a log that is whole */
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
 * Re-derives the whole committed tree and compares everything with it: every hash tile, every entry, the tail, the root,
 * the key index in both directions, the published checkpoint with its signature and its place in the history. Reads
 * every byte, writes none; nothing may be appended meanwhile. Throws STORE_FAILED; what is wrong with the log is in the
 * report.
 */
export async function checkLog({ storage, format, key }: CheckOptions): Promise<LogReport> {
  const problems: StepsealError[] = [];
  const attempt: Attempt = async (body) => {
    try {
      return await body();
    } catch (error) {
      if (!isStepsealError(error) || (error.kind !== 'verdict' && error.code !== 'LOG_CORRUPT' && error.code !== 'CHECKPOINT_INVALID')) throw error;
      if (problems.length < PROBLEM_LIMIT) problems.push(error);
      return undefined;
    }
  };
  const head = await storage.head();
  const edge: Edge = { levels: [] };
  const tiles = createTiles(storage, edge);
  if (head) {
    const tail = await readTree(storage, format, head, edge, attempt);
    // the root says which of a bundle and its tile is the wrong one
    const whole = tail !== undefined && equalBytes(viewTree(head.size, tiles.hashInMemory).root(), head.root);
    await checkBundles(storage, format, head, whole, attempt);
    if (whole) await attempt(() => checkKeys(storage, tail, head.size - tail.length));
    else if (problems.length === 0) problems.push(wrongRoot(storage, head, viewTree(head.size, tiles.hashInMemory).root()));
  }
  await attempt(() => checkKeyCount(storage, head?.size ?? 0));
  if (problems.length === 0) await attempt(() => checkPublished(storage, key, head?.size ?? 0, tiles));
  return { size: head?.size ?? 0, root: head?.root ?? EMPTY_ROOT, problems };
}

type Attempt = <T>(body: () => Promise<T>) => Promise<T | undefined>;

/** Grows the edge by every hash of the tree; the entries of the tail, or undefined where hashes are missing. */
async function readTree(storage: LogStorage, format: LogFormat, head: Head, edge: Edge, attempt: Attempt): Promise<StoredEntry[] | undefined> {
  let missing = false;
  async function add(hashes: readonly Uint8Array[]): Promise<void> {
    for (const hash of hashes) {
      const full: FullTile[] = [];
      appendToEdge(edge, hash, (tile) => full.push(tile));
      for (const tile of full) if (tile.level > 0 && !missing) await attempt(() => compareTile(storage, tile));
    }
  }
  for (let index = 0; index < Math.floor(head.size / TILE_WIDTH); index++) {
    const tile = await attempt(() => readFullTile(storage, tilePath(0, index)));
    // a tile that is gone can be made again from its entries, which lets the rest be checked
    const entries = tile ? undefined : await attempt(() => readBundle(storage, format, index));
    missing ||= tile === undefined && entries === undefined;
    await add(tile ? hashesOf(tile) : (entries ?? []).map(({ leafHash }) => leafHash));
  }
  const tail = await attempt(() => readTail(storage, format, head));
  await add((tail ?? []).map(({ leafHash }) => leafHash));
  return missing ? undefined : tail;
}

function hashesOf(tile: Uint8Array): Uint8Array[] {
  return Array.from({ length: TILE_WIDTH }, (_, i) => tile.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE));
}

async function checkBundles(storage: LogStorage, format: LogFormat, { size }: Head, treeWhole: boolean, attempt: Attempt): Promise<void> {
  for (let index = 0; index < Math.floor(size / TILE_WIDTH); index++) {
    await attempt(async () => {
      const entries = await readBundle(storage, format, index);
      await compareBundle(storage, format, index, entries, treeWhole);
      if (treeWhole) await checkKeys(storage, entries, index * TILE_WIDTH);
    });
  }
}

async function compareTile(storage: LogStorage, { level, index, tile }: FullTile): Promise<void> {
  const path = tilePath(level, index);
  const bytes = await readFullTile(storage, path);
  if (!equalBytes(bytes, tileBytes(tile))) throw corrupt(storage.locate(path), 'the hashes of the tiles below it', 'other hashes');
}

async function checkKeys(storage: LogStorage, entries: readonly StoredEntry[], first: number): Promise<void> {
  const found = await storage.lookup(entries.map(({ key }) => key));
  const wrong = found.findIndex((index, i) => index !== first + i);
  if (wrong < 0) return;
  throw corrupt(storage.locateKeys(), `entry ${first + wrong} under its key`, found[wrong] === undefined ? 'no such key' : `entry ${found[wrong]}`);
}

async function checkKeyCount(storage: LogStorage, size: number): Promise<void> {
  let count = 0;
  for (const { index } of storage.keys()) {
    count++;
    if (index >= size) throw corrupt(storage.locateKeys(), `entries below ${size}`, `entry ${index}`);
  }
  if (count !== size) throw corrupt(storage.locateKeys(), `${size} keys`, `${count} keys`);
}

async function checkPublished(storage: LogStorage, key: LogKey, committed: number, tiles: Tiles): Promise<void> {
  const text = await storage.readCheckpoint();
  if (text === undefined) return;
  const { size, root } = openCheckpoint(text, key);
  const file = storage.locate('checkpoint');
  if (size > committed) throw corrupt(file, `at most ${committed} entries`, `${size} entries`);
  const derived = await tiles.withHashes((hashAt) => viewTree(size, hashAt).root());
  if (!equalBytes(root, derived)) throw corrupt(file, `the root ${toHex(derived)} for ${size} entries`, toHex(root));
}
