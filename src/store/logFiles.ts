import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isStepsealError } from '../base/errors.ts';
import type { LogObject, Tail } from '../log/storage.ts';
import { isAbsent, storeError } from './errors.ts';

/** The file half of LogStorage: everything but head and keys. */
export interface LogFiles {
  publish(objects: readonly LogObject[]): Promise<void>;
  extendTail(tail: Tail | undefined, bytes: Uint8Array): Promise<Tail>;
  readTail(tail: Tail): Promise<Uint8Array | undefined>;
  read(path: string): Promise<Uint8Array | undefined>;
  dropTail(tail: Tail): Promise<void>;
  sweep(keep: Tail | undefined): Promise<void>;
  /** Atomic, not durable. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  locate(path: string): string;
  locateTail(tail: Tail): string;
}

// as many as libuv has threads; more would only queue
const WRITERS = 4;

/**
 * Log objects as files below `folder`, at their own paths; what is not published yet, and tails, lie in `staging`.
 * A file gets its path by rename after it was fsynced, then the folder is fsynced: after a crash a path has the whole
 * content or none.
 */
export function openLogFiles(folder: string): LogFiles {
  const staging = join(folder, 'staging');
  const known = new Set<string>();
  guardSync(folder, () => {
    mkdirSync(staging, { recursive: true, mode: 0o700 });
    for (const path of [folder, dirname(folder)]) syncFolderNow(path);
  });

  const locate = (path: string) => join(folder, path);
  const locateTail = (tail: Tail) => join(staging, tail.name);

  async function publishOne({ path, bytes }: LogObject): Promise<void> {
    const staged = join(staging, randomUUID());
    await writeNew(staged, bytes);
    const target = locate(path);
    await guard(target, async () => {
      await makeFolder(dirname(target));
      await rename(staged, target);
    });
  }

  // what could not be written must not go on filling the disk
  async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
    try {
      await guard(path, () => writeDurably(path, 'wx', bytes));
    } catch (error) {
      await guard(path, () => rm(path, { force: true }));
      throw error;
    }
  }

  async function makeFolder(path: string): Promise<void> {
    if (known.has(path) || path === folder) return;
    await makeFolder(dirname(path));
    await mkdir(path, { recursive: true, mode: 0o700 });
    await syncFolder(dirname(path));
    known.add(path);
  }

  return {
    locate,
    locateTail,
    async publish(objects) {
      for (let i = 0; i < objects.length; i += WRITERS) await settleAll(objects.slice(i, i + WRITERS).map(publishOne));
      const folders = new Set(objects.map(({ path }) => dirname(locate(path))));
      await settleAll([...folders].map((path) => guard(path, () => syncFolder(path))));
    },
    async extendTail(tail, bytes) {
      if (tail !== undefined) {
        const path = locateTail(tail);
        await guard(path, () => writeDurably(path, 'r+', bytes, tail.bytes));
        return { name: tail.name, bytes: tail.bytes + bytes.length };
      }
      const name = `tail-${randomUUID()}`;
      const path = join(staging, name);
      await writeNew(path, bytes);
      await guard(staging, () => syncFolder(staging));
      return { name, bytes: bytes.length };
    },
    async readTail(tail) {
      const bytes = await readWhole(locateTail(tail));
      return bytes?.subarray(0, tail.bytes);
    },
    read: (path) => readWhole(locate(path)),
    dropTail: (tail) => guard(locateTail(tail), () => rm(locateTail(tail), { force: true })),
    sweep: (keep) =>
      guard(staging, async () => {
        for (const name of await readdir(staging)) if (name !== keep?.name) await rm(join(staging, name), { force: true });
      }),
    async replace(path, bytes) {
      const staged = join(staging, randomUUID());
      await guard(staged, async () => {
        const file = await open(staged, 'wx', 0o600);
        await using(file, () => writeAll(file, bytes, 0));
        await rename(staged, locate(path));
      });
    },
  };
}

async function writeDurably(path: string, flags: 'wx' | 'r+', bytes: Uint8Array, position = 0): Promise<void> {
  const file = await open(path, flags, 0o600);
  await using(file, async () => {
    await writeAll(file, bytes, position);
    await file.datasync();
  });
}

// a full disk gives short writes before it gives an error
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await using(folder, () => folder.sync());
}

function syncFolderNow(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

async function using(file: FileHandle, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } finally {
    await file.close();
  }
}

function readWhole(path: string): Promise<Uint8Array | undefined> {
  return guard(path, () => absent(readFile(path)));
}

async function absent<T>(wanted: Promise<T>): Promise<T | undefined> {
  try {
    return await wanted;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

// waits for all before it fails, so that nothing is still being written when the caller sees the failure
async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(work)) if (outcome.status === 'rejected') throw outcome.reason;
}

async function guard<T>(path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw isStepsealError(error) ? error : storeError(path, error);
  }
}

function guardSync(path: string, body: () => void): void {
  try {
    body();
  } catch (error) {
    throw storeError(path, error);
  }
}
