import { HASH_SIZE, nodeHash } from '../merkle/hash.ts';
import { TILE_HEIGHT, TILE_WIDTH } from '../merkle/tile.ts';

/**
 * A tile with every node of its own tree: 256 hashes, 128 above them, … , 1 at height 8. Grows only at the end; nodes
 * that are complete never change, so views of them stay good. A smaller `width` is a tree of an earlier time.
 */
export interface TileTree {
  readonly nodes: Buffer;
  width: number;
}

export function emptyTile(): TileTree {
  return { nodes: Buffer.alloc((2 * TILE_WIDTH - 1) * HASH_SIZE), width: 0 };
}

/** Adds a hash and every node that it completes. */
export function pushHash(tile: TileTree, hash: Uint8Array): void {
  tile.nodes.set(hash, start(0, tile.width));
  tile.width++;
  for (let height = 1, count = tile.width; count % 2 === 0 && height <= TILE_HEIGHT; height++) {
    count /= 2;
    const parent = nodeHash(nodeOf(tile, height - 1, 2 * count - 2), nodeOf(tile, height - 1, 2 * count - 1));
    tile.nodes.set(parent, start(height, count - 1));
  }
}

/** From the bytes of a stored tile, full or partial. */
export function tileOf(bytes: Uint8Array): TileTree {
  const tile = emptyTile();
  for (let at = 0; at < bytes.length; at += HASH_SIZE) pushHash(tile, bytes.subarray(at, at + HASH_SIZE));
  return tile;
}

/** The node at `height` (0 to 8), place `offset`; a view, not a copy. */
export function nodeOf(tile: TileTree, height: number, offset: number): Uint8Array {
  const at = start(height, offset);
  return tile.nodes.subarray(at, at + HASH_SIZE);
}

/** Bytes of the tile as it is stored: its first `width` hashes. */
export function tileBytes(tile: TileTree, width: number = tile.width): Uint8Array {
  return tile.nodes.subarray(0, width * HASH_SIZE);
}

// heights below take 256 + 128 + … nodes
function start(height: number, offset: number): number {
  return (2 * TILE_WIDTH - 2 ** (TILE_HEIGHT + 1 - height) + offset) * HASH_SIZE;
}
