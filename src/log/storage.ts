/** Entries after the last full bundle: a file of its own that only grows, and that only the head which names it reads. */
export interface Tail {
  readonly name: string;
  /** how much of it is committed; what follows is the rest of a commit that never was */
  readonly bytes: number;
}

/** What is committed. Everything beyond `size` in files does not exist. */
export interface Head {
  readonly size: number;
  readonly root: Uint8Array;
  /** undefined where size is a multiple of 256 */
  readonly tail: Tail | undefined;
}

/** A file of the log that never changes once it is part of a committed tree; `path` as in tlog-tiles. */
export interface LogObject {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface KeyedEntry {
  readonly key: Uint8Array;
  readonly index: number;
}

/**
 * Where one log is kept. One writer, which calls publish, extendTail and commit one after the other; reads may run at
 * any time beside it. Failures are STORE_FULL or STORE_FAILED, and then any part of the effect may have happened;
 * the writer asks `head` and goes on from what it says.
 */
export interface LogStorage {
  /** The committed head, as a reader that just opened the store would see it; undefined before the first commit. */
  head(): Promise<Head | undefined>;

  /**
   * Compare and swap: makes `next` the head and records the keys, both or nothing, if the head is still `expected`.
   * Durable when it returns. Throws LOG_CONFLICT where it is another one.
   */
  commit(expected: Head | undefined, next: Head, keys: readonly KeyedEntry[]): Promise<void>;

  /** Index of each key's entry, committed ones only. */
  lookup(keys: readonly Uint8Array[]): Promise<(number | undefined)[]>;

  /** Every committed key, in any order. For checks. */
  keys(): Iterable<KeyedEntry>;

  /**
   * Writes each object under a unique name, makes it durable, then gives it its path, replacing what an earlier
   * commit that never was left there. Durable when it returns.
   */
  publish(objects: readonly LogObject[]): Promise<void>;

  /**
   * Adds to a tail after its committed bytes, or begins a new one under a unique name where `tail` is undefined.
   * Durable when it returns; the answer is the grown tail.
   */
  extendTail(tail: Tail | undefined, bytes: Uint8Array): Promise<Tail>;

  /** Committed bytes of a tail; undefined where the file is gone, fewer bytes where it is too short. */
  readTail(tail: Tail): Promise<Uint8Array | undefined>;

  /** An object, whole; undefined where there is none. */
  read(path: string): Promise<Uint8Array | undefined>;

  /** Removes a tail that no head names any more. */
  dropTail(tail: Tail): Promise<void>;

  /** Removes every staged file and tail but `keep`. Called only while nothing is being written. */
  sweep(keep: Tail | undefined): Promise<void>;

  /** The newest signed checkpoint, for readers of the folder. Atomic, not durable: it can be signed again. */
  writeCheckpoint(text: string): Promise<void>;
  readCheckpoint(): Promise<string | undefined>;

  /** Gives back what it holds open. Nothing is asked of it afterwards. */
  close(): Promise<void>;

  /** Full name of a file, for messages. */
  locate(path: string): string;
  locateTail(tail: Tail): string;
  locateKeys(): string;
}
