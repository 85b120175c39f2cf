import { asStepsealError, StepsealError } from '../base/errors.ts';
import { closedError, type Sequencer, type Submission } from './sequencer.ts';

/** What may wait; the caller is told to come back later. */
const WAITING_ENTRIES = 65_536;
const WAITING_BYTES = 128 * 1024 * 1024;
/** Where one commit stops taking more, so that the first in line is not kept by the last. */
const COMMIT_ENTRIES = 4096;
const COMMIT_BYTES = 16 * 1024 * 1024;

export interface Request<T> {
  readonly submissions: readonly Submission[];
  /** about how many bytes they will take */
  readonly bytes: number;
  /** called with the places of the submissions, once they are committed */
  answer(places: readonly { index: number; duplicate: boolean }[]): T;
}

interface Waiting {
  readonly submissions: readonly Submission[];
  readonly bytes: number;
  settle(places: readonly { index: number; duplicate: boolean }[]): void;
  refuse(error: unknown): void;
}

/** Group commit. */
export interface CommitQueue {
  /** Throws LOG_BUSY, LOG_CLOSED, and what the commit throws. */
  submit<T>(request: Request<T>): Promise<T>;
  /** Nothing is taken any more, now or later. */
  halt(cause?: unknown): void;
  /** Resolves when no commit is in flight. */
  idle(): Promise<void>;
}

/**
 * Whatever arrives while a commit is in flight goes into the next one, which starts as soon as the first is done; an
 * idle log commits at once. So the window under load is as long as one commit, and no timer is needed.
 * `committed` runs after each commit, before its callers are answered.
 */
export function createQueue(sequence: Sequencer['sequence'], committed: () => Promise<void>): CommitQueue {
  const waiting: Waiting[] = [];
  let entries = 0;
  let size = 0;
  let running: Promise<void> | undefined;
  let halted: StepsealError | undefined;

  function take(): Waiting[] {
    const batch: Waiting[] = [];
    let count = 0;
    let bytes = 0;
    for (;;) {
      const next = waiting[0];
      if (next === undefined) break;
      const fits = count + next.submissions.length <= COMMIT_ENTRIES && bytes + next.bytes <= COMMIT_BYTES;
      // one that is larger than a commit alone goes alone
      if (!fits && batch.length > 0) break;
      waiting.shift();
      count += next.submissions.length;
      bytes += next.bytes;
      batch.push(next);
    }
    entries -= count;
    size -= bytes;
    return batch;
  }

  async function run(): Promise<void> {
    // those that call in this turn of the event loop go together
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = take();
      try {
        const places = await sequence(batch.flatMap(({ submissions }) => submissions));
        await committed();
        let at = 0;
        for (const { submissions, settle } of batch) settle(places.slice(at, (at += submissions.length)));
      } catch (error) {
        for (const { refuse } of batch) refuse(error);
      }
    }
    running = undefined;
  }

  return {
    submit({ submissions, bytes, answer }) {
      if (halted) return Promise.reject(halted);
      if (entries + submissions.length > WAITING_ENTRIES || size + bytes > WAITING_BYTES) {
        const expected = `at most ${WAITING_ENTRIES} entries of together ${WAITING_BYTES} bytes`;
        return Promise.reject(new StepsealError('LOG_BUSY', 'too many entries wait for the log', { expected }));
      }
      entries += submissions.length;
      size += bytes;
      return new Promise((resolve, refuse) => {
        // an answer that throws refuses its own caller only
        const settle: Waiting['settle'] = (places) => resolve(new Promise((answered) => answered(answer(places))));
        waiting.push({ submissions, bytes, settle, refuse });
        running ??= run();
      });
    },
    halt(cause) {
      halted ??= closedError(cause === undefined ? undefined : asStepsealError(cause, 'STORE_FAILED', 'the log has failed'));
      for (const { refuse } of waiting.splice(0)) refuse(halted);
      entries = 0;
      size = 0;
    },
    idle: async () => running,
  };
}
