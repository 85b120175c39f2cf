import { concat, utf8 } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { assertIndex, viewTree } from '../merkle/proof.ts';
import { parseTilePath, TILE_HEIGHT, TILE_WIDTH, tilePath, type TileName } from '../merkle/tile.ts';
import type { Engine } from './engine.ts';
import type { StoredEntry } from './format.ts';
import { readBundle } from './recover.ts';
import { corrupt } from './tiles.ts';
import type { LogReader } from './types.ts';

/** The reading half of a log over its engine. Everything is about the newest signed tree. */
export function createReader(engine: Engine, key: { origin: string; keyId: Uint8Array }): LogReader {
  const { storage, format, tiles } = engine;

  async function entryAt(index: number): Promise<StoredEntry> {
    const { size, tail } = engine.committed();
    const first = size - tail.length;
    if (index >= first) return tail[index - first]!;
    return (await readBundle(storage, format, Math.floor(index / TILE_WIDTH)))[index % TILE_WIDTH]!;
  }

  async function readEntries({ index, width }: TileName): Promise<Uint8Array> {
    const { size, tail } = engine.committed();
    const inTail = index === (size - tail.length) / TILE_WIDTH;
    const entries = inTail ? tail : await readBundle(storage, format, index);
    return concat(...entries.slice(0, width).map(({ framed }) => framed));
  }

  async function readCommitted(path: string): Promise<Uint8Array> {
    const bytes = await storage.read(path);
    if (bytes === undefined) throw corrupt(storage.locate(path), 'a file', 'none');
    return bytes;
  }

  function readHashes(level: number, { index, width }: TileName): Promise<Uint8Array> {
    return tiles.withHashes((hashAt) => concat(...Array.from({ length: width }, (_, i) => hashAt(level * TILE_HEIGHT, index * TILE_WIDTH + i))));
  }

  return {
    origin: key.origin,
    keyId: key.keyId,
    size: () => engine.signed().size,
    checkpoint: () => engine.signed().checkpoint,
    async proof(index) {
      const { size, root, checkpoint } = engine.signed();
      const hashes = await tiles.withHashes((hashAt) => viewTree(size, hashAt).inclusion(index));
      return { index, treeSize: size, rootHash: root, hashes, checkpoint };
    },
    async consistency(older, newer = engine.signed().size) {
      if (newer > engine.signed().size) throw beyond(newer, engine.signed().size);
      return tiles.withHashes((hashAt) => viewTree(newer, hashAt).consistency(older));
    },
    async entry(index) {
      assertIndex('log index', index);
      if (index >= engine.signed().size) throw beyond(index, engine.signed().size);
      return (await entryAt(index)).body;
    },
    async read(path) {
      const { size, checkpoint } = engine.signed();
      if (path === 'checkpoint') return utf8(checkpoint);
      const name = tileNamed(path);
      if (name === undefined) return undefined;
      const { level, index, width } = name;
      const count = typeof level === 'number' ? Math.floor(size / TILE_WIDTH ** level) : size;
      if (index * TILE_WIDTH + width > count) return undefined;
      if (typeof level !== 'number' && level !== format.tiles) return undefined;
      if (width === TILE_WIDTH) return readCommitted(tilePath(level, index));
      return typeof level === 'number' ? readHashes(level, name) : readEntries(name);
    },
    close: () => engine.close(),
  };
}

function tileNamed(path: string): TileName | undefined {
  try {
    return parseTilePath(path);
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return undefined;
  }
}

function beyond(found: number, size: number): StepsealError {
  return new StepsealError('TLOG_PARSE', 'the log is not that long', { expected: `at most ${size}`, found: String(found) });
}
