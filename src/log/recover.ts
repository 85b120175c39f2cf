import { equalBytes } from '../base/bytes.ts';
import { isStepsealError, type StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { EMPTY_ROOT, HASH_SIZE } from '../merkle/hash.ts';
import { viewTree } from '../merkle/proof.ts';
import { placeOf, TILE_HEIGHT, TILE_WIDTH, tilePath } from '../merkle/tile.ts';
import type { Edge } from './edge.ts';
import type { LogFormat, StoredEntry } from './format.ts';
import type { Committed } from './sequencer.ts';
import type { Head, LogStorage } from './storage.ts';
import { corrupt, readFullTile } from './tiles.ts';
import { emptyTile, nodeOf, pushHash, tileOf, type TileTree } from './tileTree.ts';

/** Full bundles before the tail that are read again at start: what a crash may have been writing lies there. */
const RECHECKED_BUNDLES = 16;

export interface Recovered {
  readonly committed: Committed;
  readonly edge: Edge;
}

/**
 * The committed tree from what the store holds. Reads the tail, every tile below the right edge (at most 255 for each
 * level) and the newest bundles, and re-derives the root; the rest is checkLog's. What a commit that never was left
 * behind is beyond the head and not looked at. Throws LOG_CORRUPT naming the file.
 */
export async function recover(storage: LogStorage, format: LogFormat): Promise<Recovered> {
  const head = await storage.head();
  if (head === undefined) return { committed: { size: 0, root: EMPTY_ROOT, head, tail: [] }, edge: { levels: [] } };
  const tail = await readTail(storage, format, head);
  const edge = await readEdge(storage, head, tail);
  const found = rootOf(head.size, edge);
  const full = Math.floor(head.size / TILE_WIDTH);
  if (!equalBytes(found, head.root)) {
    await recheckBundles(storage, format, full - (full % TILE_WIDTH), full, false);
    throw wrongRoot(storage, head, found);
  }
  await recheckBundles(storage, format, Math.max(0, full - RECHECKED_BUNDLES), full, true);
  return { committed: { size: head.size, root: head.root, head, tail }, edge };
}

/** Entries after the last full bundle. Throws LOG_CORRUPT naming the tail. */
export async function readTail(storage: LogStorage, format: LogFormat, { size, tail }: Head): Promise<StoredEntry[]> {
  const count = size % TILE_WIDTH;
  if (tail === undefined) {
    if (count === 0) return [];
    throw corrupt(storage.locate('staging'), `a tail of ${count} entries`, 'a head that names none');
  }
  const bytes = await storage.readTail(tail);
  const file = storage.locateTail(tail);
  if (bytes?.length !== tail.bytes) throw corrupt(file, `at least ${tail.bytes} bytes`, bytes === undefined ? 'no file' : `${bytes.length} bytes`);
  return splitAs(file, format, bytes, size - count, count);
}

/** Entries of a stored bundle. Throws LOG_CORRUPT naming the file. */
export async function readBundle(storage: LogStorage, format: LogFormat, index: number): Promise<StoredEntry[]> {
  const path = tilePath(format.tiles, index);
  const bytes = await storage.read(path);
  if (bytes === undefined) throw corrupt(storage.locate(path), `${TILE_WIDTH} entries`, 'no file');
  return splitAs(storage.locate(path), format, bytes, index * TILE_WIDTH, TILE_WIDTH);
}

function splitAs(file: string, format: LogFormat, bytes: Uint8Array, first: number, count: number): StoredEntry[] {
  let entries: StoredEntry[];
  try {
    entries = format.split(bytes, first);
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    throw corrupt(file, `${count} entries`, error.message, error);
  }
  if (entries.length !== count) throw corrupt(file, `${count} entries`, `${entries.length} entries`);
  return entries;
}

async function readEdge(storage: LogStorage, { size }: Head, tail: readonly StoredEntry[]): Promise<Edge> {
  const edge: Edge = { levels: [] };
  for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / TILE_WIDTH)) {
    const index = Math.floor(count / TILE_WIDTH);
    const tile = emptyTile();
    if (level === 0) for (const { leafHash } of tail) pushHash(tile, leafHash);
    else for (let i = index * TILE_WIDTH; i < count; i++) pushHash(tile, await tileRoot(storage, level - 1, i));
    edge.levels.push({ index, tile });
  }
  return edge;
}

async function tileRoot(storage: LogStorage, level: number, index: number): Promise<Uint8Array> {
  const tile = tileOf(await readFullTile(storage, tilePath(level, index)));
  return nodeOf(tile, TILE_HEIGHT, 0);
}

async function recheckBundles(storage: LogStorage, format: LogFormat, from: number, to: number, treeWhole: boolean): Promise<void> {
  for (let index = from; index < to; index++) {
    await compareBundle(storage, format, index, await readBundle(storage, format, index), treeWhole);
  }
}

/**
 * Compares a bundle with its tile. Where they differ, and the tree is whole, the bundle is wrong; otherwise the tile is.
 * Throws LOG_CORRUPT naming the file.
 */
export async function compareBundle(
  storage: LogStorage,
  format: LogFormat,
  index: number,
  entries: readonly StoredEntry[],
  treeWhole: boolean,
): Promise<void> {
  const bytes = await readFullTile(storage, tilePath(0, index));
  const wrong = entries.findIndex(({ leafHash }, i) => !equalBytes(leafHash, bytes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE)));
  if (wrong < 0) return;
  const place = index * TILE_WIDTH + wrong;
  if (treeWhole) throw corrupt(storage.locate(tilePath(format.tiles, index)), `entry ${place} as the tree has it`, 'another entry');
  throw corrupt(storage.locate(tilePath(0, index)), `the hash of entry ${place}`, 'another hash');
}

function rootOf(size: number, edge: Edge): Uint8Array {
  return viewTree(size, (level, index) => {
    const place = placeOf(level, index);
    return nodeOf(edgeTile(edge, place.level), place.height, place.offset);
  }).root();
}

/** Where every bundle agrees with its tile and the root still comes out wrong, it is the tail. */
export function wrongRoot(storage: LogStorage, { root, tail }: Head, found: Uint8Array): StepsealError {
  return corrupt(tail ? storage.locateTail(tail) : storage.locate('tile'), `the root ${toHex(root)}`, toHex(found));
}

function edgeTile(edge: Edge, level: number): TileTree {
  return edge.levels[level]!.tile;
}
