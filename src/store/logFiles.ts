import { randomUUID } from 'node:crypto';
import { closeSync, constants, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
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
  close(): Promise<void>;
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

  let openTail: { name: string; file: FileHandle } | undefined;

  async function publishOne({ path, bytes }: LogObject): Promise<void> {
    const staged = join(staging, randomUUID());
    const target = locate(path);
    await orRemove(staged, () =>
      guard(target, async () => {
        await (await openAndWrite(staged, NEW, bytes, 0)).close();
        await makeFolder(dirname(target));
        await rename(staged, target);
      }),
    );
  }

  // what could not be written must not go on filling the disk
  async function orRemove<T>(path: string, body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      await guard(path, () => rm(path, { force: true }));
      throw error;
    }
  }

  async function keepTail(tail: typeof openTail): Promise<void> {
    const old = openTail;
    openTail = tail;
    await old?.file.close();
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
      const left = [...objects];
      const work = async () => {
        for (let object = left.shift(); object !== undefined; object = left.shift()) await publishOne(object);
      };
      await settleAll(Array.from({ length: Math.min(WRITERS, objects.length) }, work));
      const folders = new Set(objects.map(({ path }) => dirname(locate(path))));
      await settleAll([...folders].map((path) => guard(path, () => syncFolder(path))));
    },
    async extendTail(tail, bytes) {
      if (tail !== undefined && tail.name === openTail?.name) {
        const { file } = openTail;
        await guard(locateTail(tail), () => writeAll(file, bytes, tail.bytes));
        return { name: tail.name, bytes: tail.bytes + bytes.length };
      }
      if (tail !== undefined) {
        const path = locateTail(tail);
        await keepTail({ name: tail.name, file: await guard(path, () => openAndWrite(path, EXISTING, bytes, tail.bytes)) });
        return { name: tail.name, bytes: tail.bytes + bytes.length };
      }
      const name = `tail-${randomUUID()}`;
      const path = join(staging, name);
      await keepTail({ name, file: await orRemove(path, () => guard(path, () => openAndWrite(path, NEW, bytes, 0))) });
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
        await writeFile(staged, bytes, { flag: 'wx', mode: 0o600 });
        await rename(staged, locate(path));
      });
    },
    close: () => keepTail(undefined),
  };
}

// every write is on the disk when it returns, data and length (open(2)): one call instead of two
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_DSYNC;
const EXISTING = constants.O_WRONLY | constants.O_DSYNC;

async function openAndWrite(path: string, flags: number, bytes: Uint8Array, position: number): Promise<FileHandle> {
  const file = await open(path, flags, 0o600);
  try {
    await writeAll(file, bytes, position);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
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
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function syncFolderNow(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
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
