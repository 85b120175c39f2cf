import { StepsealError } from '../base/errors.ts';

/** Hashes or entries in a full tile: 2^8 (C2SP tlog-tiles, "Merkle Tree"). */
export const TILE_WIDTH = 256;
export const TILE_HEIGHT = 8;

/** `level` is 0 to 63 for hash tiles; 'entries' (tlog-tiles) and 'data' (static-ct-api) hold the entries themselves. */
export interface TileName {
  readonly level: number | 'entries' | 'data';
  readonly index: number;
  /** 1 to 256; 256 is a full tile and has no `.p/` part */
  readonly width: number;
}

/** `tile/<L>/<N>[.p/<W>]`, N in groups of three digits, all but the last with an `x` (C2SP tlog-tiles). */
export function tilePath(level: TileName['level'], index: number, width: number = TILE_WIDTH): string {
  const groups: string[] = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  return `tile/${level}/${groups.join('/')}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

const TILE = /^tile\/(entries|data|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/;

/** The inverse of tilePath; only the canonical spelling. Throws TLOG_PARSE. */
export function parseTilePath(path: string): TileName {
  const match = TILE.exec(path);
  if (match) {
    const level: TileName['level'] = match[1] === 'entries' || match[1] === 'data' ? match[1] : Number(match[1]);
    const index = Number(match[2]!.replaceAll(/[x/]/g, ''));
    const width = match[3] === undefined ? TILE_WIDTH : Number(match[3]);
    const name = { level, index, width };
    if ((typeof level !== 'number' || level <= 63) && width >= 1 && tilePath(level, index, width) === path) return name;
  }
  throw new StepsealError('TLOG_PARSE', 'not the path of a tile', { expected: 'tile/<L>/<N>[.p/<W>]', found: path });
}

/** Where the hash of a complete subtree lies: tile level, tile index, and the place inside the tile's own tree. */
export interface TilePlace {
  readonly level: number;
  readonly index: number;
  /** 0 for the tile's own hashes, up to 7 */
  readonly height: number;
  readonly offset: number;
}

export function placeOf(level: number, index: number): TilePlace {
  const height = level % TILE_HEIGHT;
  const span = 2 ** (TILE_HEIGHT - height);
  return { level: (level - height) / TILE_HEIGHT, index: Math.floor(index / span), height, offset: index % span };
}
