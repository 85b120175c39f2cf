import { StepsealError } from '../base/errors.ts';
import { HASH_SIZE } from '../merkle/hash.ts';
import type { HashAt } from '../merkle/proof.ts';
import { placeOf, TILE_WIDTH, tilePath } from '../merkle/tile.ts';
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
  const cache = new Map<string, TileTree>();
  const inFlight = new Map<string, TileTree>();

  function inMemory(level: number, index: number): TileTree | undefined {
    const atEdge = edge.levels[level];
    if (atEdge?.index === index) return atEdge.tile;
    const path = tilePath(level, index);
    const tile = inFlight.get(path) ?? cache.get(path);
    if (tile && cache.delete(path)) cache.set(path, tile);
    return tile;
  }

  function keep(path: string, tile: TileTree): void {
    if (cache.size >= CACHE_LIMIT) cache.delete(cache.keys().next().value!);
    cache.set(path, tile);
  }

  async function load(path: string): Promise<TileTree> {
    const tile = tileOf(await readFullTile(storage, path));
    keep(path, tile);
    return tile;
  }

  return {
    complete: ({ level, index, tile }) => void inFlight.set(tilePath(level, index), tile),
    settle(outcome) {
      if (outcome === 'committed') for (const [path, tile] of inFlight) keep(path, tile);
      inFlight.clear();
    },
    async withHashes(body) {
      const missing = new Set<string>();
      const loaded = new Map<string, TileTree>();
      const hashAt: HashAt = (level, index) => {
        const place = placeOf(level, index);
        const tile = inMemory(place.level, place.index) ?? loaded.get(tilePath(place.level, place.index));
        if (tile) return nodeOf(tile, place.height, place.offset);
        missing.add(tilePath(place.level, place.index));
        return ABSENT;
      };
      const first = body(hashAt);
      if (missing.size === 0) return first;
      for (const path of missing) loaded.set(path, await load(path));
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

/** A tile that the committed tree has in full. Throws LOG_CORRUPT naming the file. */
export async function readFullTile(storage: LogStorage, path: string): Promise<Uint8Array> {
  const bytes = await storage.read(path);
  if (bytes?.length !== TILE_BYTES) throw corrupt(storage.locate(path), `${TILE_BYTES} bytes`, bytes === undefined ? 'no file' : `${bytes.length} bytes`);
  return bytes;
}

export function corrupt(file: string, expected: string, found: string, cause?: unknown): StepsealError {
  return new StepsealError('LOG_CORRUPT', `${file} is not what was committed`, { expected, found, cause });
}
