import { isStepsealError } from '../base/errors.ts';
import { openCheckpoint } from '../merkle/checkpoint.ts';
import type { CheckpointSigner } from './checkpoints.ts';
import type { LogFormat } from './format.ts';
import { type CommitQueue, createQueue } from './queue.ts';
import { recover } from './recover.ts';
import { type Committed, createSequencer } from './sequencer.ts';
import type { LogStorage } from './storage.ts';
import { corrupt, createTiles, type Tiles } from './tiles.ts';

/** A committed tree with its signature. */
export interface SignedTree {
  readonly size: number;
  readonly root: Uint8Array;
  readonly checkpoint: string;
}

/** What both kinds of log are made of. */
export interface Engine {
  readonly storage: LogStorage;
  readonly format: LogFormat;
  readonly tiles: Tiles;
  readonly queue: CommitQueue;
  committed(): Committed;
  signed(): SignedTree;
  close(): Promise<void>;
}

export interface EngineOptions {
  readonly storage: LogStorage;
  readonly format: LogFormat;
  readonly checkpoints: CheckpointSigner;
  /** Told of failures without consequence: a leftover that stays, a checkpoint file that is late. */
  readonly warn: (error: unknown) => void;
}

/**
 * Recovers the committed tree, signs it and is ready for more. Throws LOG_CORRUPT where the files are not what was
 * committed, or where a checkpoint was published that the store does not know: it is older than what it promised.
 */
export async function startEngine({ storage, format, checkpoints, warn }: EngineOptions): Promise<Engine> {
  const { committed: start, edge } = await recover(storage, format);
  await assertNotOlder(storage, checkpoints, start);
  await storage.sweep(start.head?.tail);
  const tiles = createTiles(storage, edge);
  const sequencer = createSequencer({ storage, format, edge, tiles, committed: start, warn, halt: (error) => queue.halt(error) });
  let signed = await sign();
  const published = publisher(storage, warn);
  published.write(signed.checkpoint);
  const queue = createQueue(sequencer.sequence, async () => {
    if (signed.size === sequencer.committed().size) return;
    signed = await sign();
    published.write(signed.checkpoint);
  });

  async function sign(): Promise<SignedTree> {
    const { size, root } = sequencer.committed();
    return { size, root, checkpoint: await checkpoints.sign({ size, root }) };
  }

  return {
    storage,
    format,
    tiles,
    queue,
    committed: () => sequencer.committed(),
    signed: () => signed,
    async close() {
      queue.halt();
      await queue.idle();
      await published.close();
      await storage.close();
    },
  };
}

// a file that cannot be read as a checkpoint says nothing: it is written without fsync and made again at every start
async function assertNotOlder(storage: LogStorage, { key }: CheckpointSigner, { size }: Committed): Promise<void> {
  const text = await storage.readCheckpoint();
  if (text === undefined) return;
  try {
    const published = openCheckpoint(text, key);
    if (published.size > size) {
      throw corrupt(storage.locate('checkpoint'), `a checkpoint of at most the ${size} entries that the store holds`, `${published.size} entries`);
    }
  } catch (error) {
    if (!isStepsealError(error) || error.code === 'LOG_CORRUPT') throw error;
  }
}

/** ms between two writes of the checkpoint file; readers over the network get the newest from memory. */
const PUBLISH_INTERVAL = 100;

interface Publisher {
  write(text: string): void;
  /** Writes what is still to be written. */
  close(): Promise<void>;
}

/** Writes the first text at once and then the newest one after each interval; those that are overtaken are left out. */
function publisher(storage: LogStorage, warn: (error: unknown) => void): Publisher {
  let next: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();
  function flush(): void {
    const text = next;
    next = undefined;
    if (text !== undefined) writing = writing.then(() => storage.writeCheckpoint(text)).catch(warn);
  }
  function later(): void {
    timer = setTimeout(() => {
      timer = undefined;
      if (next === undefined) return;
      flush();
      later();
    }, PUBLISH_INTERVAL).unref();
  }
  return {
    write(text) {
      next = text;
      if (timer !== undefined) return;
      flush();
      later();
    },
    async close() {
      clearTimeout(timer);
      flush();
      await writing;
    },
  };
}
