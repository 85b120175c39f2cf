import { StepsealError } from '../base/errors.ts';
import { HASH_SIZE } from '../merkle/hash.ts';
import type { HashAt } from '../merkle/proof.ts';
import { placeOf, TILE_WIDTH, tilePath, type TilePlace } from '../merkle/tile.ts';
import type { Edge, FullTile } from './edge.ts';
import type { LogStorage } from './storage.ts';
import { nodeOf, tileOf, type TileTree } from './tileTree.ts';

/** Full tiles kept in memory, with their inner nodes: 16 KiB each. */
const CACHE_LIMIT = 256;
const TILE_BYTES = TILE_WIDTH * HASH_SIZE;
const ABSENT: Uint8Array = new Uint8Array(HASH_SIZE);

/** Tiles of one log: the right edge, the most recently used full ones, the rest in the storage. */
export interface Tiles {
  /** A tile that the commit in flight completes: in memory until settle says whether it came to be. */
  complete(full: FullTile): void;
  settle(outcome: 'committed' | 'undone'): void;
  /** Runs `body`, twice where tiles have to be read first. It must be pure and ask for the same hashes both times. Throws LOG_CORRUPT. */
  withHashes<T>(body: (hashAt: HashAt) => T): Promise<T>;
  /** A node that is certainly in memory: of the edge, or of a tile that was just completed. */
  hashInMemory: HashAt;
}

export function createTiles(storage: LogStorage, edge: Edge): Tiles {
  const cache = new Map<number, TileTree>();
  const inFlight = new Map<number, TileTree>();
  let newest = -1;

  function inMemory(level: number, index: number): TileTree | undefined {
    const atEdge = edge.levels[level];
    if (atEdge?.index === index) return atEdge.tile;
    const id = idOf(level, index);
    const tile = inFlight.get(id) ?? cache.get(id);
    // neighbours are asked for in a row: the one that was used last need not be moved again
    if (tile && newest !== id && cache.delete(id)) keep(id, tile);
    return tile;
  }

  function keep(id: number, tile: TileTree): void {
    if (cache.size >= CACHE_LIMIT) cache.delete(cache.keys().next().value!);
    cache.set(id, tile);
    newest = id;
  }

  return {
    complete: ({ level, index, tile }) => void inFlight.set(idOf(level, index), tile),
    settle(outcome) {
      if (outcome === 'committed') for (const [id, tile] of inFlight) keep(id, tile);
      inFlight.clear();
    },
    async withHashes(body) {
      const missing = new Map<number, TilePlace>();
      const loaded = new Map<number, TileTree>();
      const hashAt: HashAt = (level, index) => {
        const place = placeOf(level, index);
        const tile = inMemory(place.level, place.index) ?? loaded.get(idOf(place.level, place.index));
        if (tile) return nodeOf(tile, place.height, place.offset);
        missing.set(idOf(place.level, place.index), place);
        return ABSENT;
      };
      const first = body(hashAt);
      if (missing.size === 0) return first;
      for (const [id, place] of missing) {
        const tile = tileOf(await readFullTile(storage, tilePath(place.level, place.index)));
        loaded.set(id, tile);
        keep(id, tile);
      }
      missing.clear();
      const second = body(hashAt);
      if (missing.size !== 0) throw new StepsealError('INTERNAL', 'a computation over the log asked for other hashes the second time');
      return second;
    },
    hashInMemory(level, index) {
      const place = placeOf(level, index);
      const tile = inMemory(place.level, place.index);
      if (!tile) throw new StepsealError('INTERNAL', `tile ${tilePath(place.level, place.index)} is not in memory`);
      return nodeOf(tile, place.height, place.offset);
    },
  };
}

/** Level and index in one number: an index is below 2^45, a level below 7. */
function idOf(level: number, index: number): number {
  return level * 2 ** 46 + index;
}

/** A tile that the committed tree has in full. Throws LOG_CORRUPT naming the file. */
export async function readFullTile(storage: LogStorage, path: string): Promise<Uint8Array> {
  const bytes = await storage.read(path);
  if (bytes?.length !== TILE_BYTES) {
    throw corrupt(storage.locate(path), `${TILE_BYTES} bytes`, bytes === undefined ? 'no file' : `${bytes.length} bytes`);
  }
  return bytes;
}

export function corrupt(file: string, expected: string, found: string, cause?: unknown): StepsealError {
  return new StepsealError('LOG_CORRUPT', `${file} is not what was committed`, { expected, found, cause });
}
