import { TILE_HEIGHT, TILE_WIDTH } from '../merkle/tile.ts';
import { emptyTile, nodeOf, pushHash, type TileTree } from './tileTree.ts';

export interface EdgeTile {
  readonly index: number;
  readonly tile: TileTree;
}

/** The right edge of a tree: its incomplete tile at each level, from the leaves up. All that appending needs. */
export interface Edge {
  levels: EdgeTile[];
}

export interface FullTile extends EdgeTile {
  readonly level: number;
}

/** Appends one leaf hash; `onFull` gets each tile that it completes, lowest level first. */
export function appendToEdge(edge: Edge, leafHash: Uint8Array, onFull: (full: FullTile) => void): void {
  let hash = leafHash;
  for (let level = 0; ; level++) {
    const { index, tile } = (edge.levels[level] ??= { index: 0, tile: emptyTile() });
    pushHash(tile, hash);
    if (tile.width < TILE_WIDTH) return;
    onFull({ level, index, tile });
    edge.levels[level] = { index: index + 1, tile: emptyTile() };
    hash = nodeOf(tile, TILE_HEIGHT, 0);
  }
}

/** Remembers the edge; calling the answer brings it back. Tiles only grow, so their widths are all there is to keep. */
export function rememberEdge(edge: Edge): () => void {
  const kept = edge.levels.map((level) => ({ level, width: level.tile.width }));
  return () => {
    edge.levels = kept.map(({ level, width }) => {
      level.tile.width = width;
      return level;
    });
  };
}
