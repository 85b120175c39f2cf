import { concat, equalBytes } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { viewTree } from '../merkle/proof.ts';
import { TILE_WIDTH, tilePath } from '../merkle/tile.ts';
import { appendToEdge, type Edge, rememberEdge } from './edge.ts';
import type { LogFormat, StoredEntry } from './format.ts';
import type { Head, KeyedEntry, LogObject, LogStorage } from './storage.ts';
import type { Tiles } from './tiles.ts';
import { tileBytes } from './tileTree.ts';

/** An entry on its way in. Its bytes may depend on its place (CT leaf_index). */
export interface Submission {
  readonly key: Uint8Array;
  make(index: number): StoredEntry;
}

export interface Place {
  readonly index: number;
  readonly duplicate: boolean;
}

/** The committed tree in memory. Replaced as a whole by each commit, so a reader sees one state or the next. */
export interface Committed {
  readonly size: number;
  readonly root: Uint8Array;
  readonly head: Head | undefined;
  /** entries after the last full bundle, at most 255 */
  readonly tail: readonly StoredEntry[];
}

export interface Sequencer {
  committed(): Committed;
  /** Finds or gives every submission its place and commits. One call at a time. Throws after putting everything back. */
  sequence(submissions: readonly Submission[]): Promise<Place[]>;
}

export interface SequencerParts {
  readonly storage: LogStorage;
  readonly format: LogFormat;
  readonly edge: Edge;
  readonly tiles: Tiles;
  readonly committed: Committed;
  /** told what went wrong without consequence */
  readonly warn: (error: unknown) => void;
  /** told that the log must not go on */
  readonly halt: (error: unknown) => void;
}

export function createSequencer({ storage, format, edge, tiles, committed: start, warn, halt }: SequencerParts): Sequencer {
  let committed = start;
  // the first commit of a process begins a tail of its own, and so does the one after a failure: what another writer
  // or a commit with unknown outcome may still add to the old file then stays beside the log
  let tailUsable = false;

  async function place(submissions: readonly Submission[]): Promise<{ places: Place[]; fresh: Submission[] }> {
    const known = await storage.lookup(submissions.map(({ key }) => key));
    const fresh: Submission[] = [];
    const seen = new Map<string, number>();
    const places = submissions.map((submission, i): Place => {
      const id = Buffer.from(submission.key).toString('latin1');
      const earlier = known[i] ?? seen.get(id);
      if (earlier !== undefined) return { index: earlier, duplicate: true };
      const index = committed.size + fresh.length;
      seen.set(id, index);
      fresh.push(submission);
      return { index, duplicate: false };
    });
    return { places, fresh };
  }

  /** The tree with the new entries: full tiles and bundles, what remains as tail. Grows the edge. */
  function grow(entries: readonly StoredEntry[]): { objects: LogObject[]; tail: StoredEntry[] } {
    const objects: LogObject[] = [];
    let tail = [...committed.tail];
    let bundle = (committed.size - tail.length) / TILE_WIDTH;
    for (const entry of entries) {
      appendToEdge(edge, entry.leafHash, (full) => {
        tiles.complete(full);
        objects.push({ path: tilePath(full.level, full.index), bytes: tileBytes(full.tile) });
      });
      tail.push(entry);
      if (tail.length === TILE_WIDTH) {
        objects.push({ path: tilePath(format.tiles, bundle), bytes: concat(...tail.map(({ framed }) => framed)) });
        tail = [];
        bundle++;
      }
    }
    return { objects, tail };
  }

  async function storeTail(tail: readonly StoredEntry[], added: number): Promise<Head['tail']> {
    if (tail.length === 0) return undefined;
    const old = tailUsable && added < tail.length ? committed.head?.tail : undefined;
    return storage.extendTail(old, concat(...(old ? tail.slice(-added) : tail).map(({ framed }) => framed)));
  }

  async function commit(entries: readonly StoredEntry[], keys: readonly KeyedEntry[]): Promise<void> {
    const restore = rememberEdge(edge);
    let next: Committed | undefined;
    try {
      const { objects, tail } = grow(entries);
      const size = committed.size + entries.length;
      const root = viewTree(size, tiles.hashInMemory).root();
      if (objects.length > 0) await storage.publish(objects);
      next = { size, root, tail, head: { size, root, tail: await storeTail(tail, entries.length) } };
      await storage.commit(committed.head, next.head!, keys);
    } catch (error) {
      if (!(await isCommitted(next, error))) {
        restore();
        tiles.settle('undone');
        tailUsable = false;
        throw error;
      }
    }
    tiles.settle('committed');
    const old = committed.head?.tail;
    committed = next!;
    tailUsable = true;
    if (old !== undefined && old.name !== committed.head?.tail?.name) storage.dropTail(old).catch(warn);
  }

  /** After a failure only the store knows. Halts the log where it says neither yes nor no. */
  async function isCommitted(next: Committed | undefined, error: unknown): Promise<boolean> {
    try {
      const now = await storage.head();
      if (next && sameHead(now, next.head)) return true;
      if (!sameHead(now, committed.head)) halt(error);
    } catch (unknown) {
      halt(unknown);
    }
    return false;
  }

  return {
    committed: () => committed,
    async sequence(submissions) {
      const { places, fresh } = await place(submissions);
      if (fresh.length > 0) {
        const entries = fresh.map((submission, i) => submission.make(committed.size + i));
        await commit(entries, fresh.map(({ key }, i) => ({ key, index: committed.size + i })));
      }
      return places;
    },
  };
}

function sameHead(a: Head | undefined, b: Head | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && equalBytes(a.root, b.root) && a.tail?.name === b.tail?.name && a.tail?.bytes === b.tail?.bytes;
}

/** What a caller hears after the log has closed or halted. */
export function closedError(cause?: unknown): StepsealError {
  return new StepsealError('LOG_CLOSED', cause === undefined ? 'the log is closed' : 'the log has stopped after a failure', { cause });
}
