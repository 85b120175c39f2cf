import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { assertOwnFolder, makeFolder } from '../keys/files.ts';
import { isAbsent, storeError } from './errors.ts';

const SQLITE_BUSY = 5;

export interface FolderLock {
  release(): void;
}

/**
 * Makes the folder (0700) if it is not there and takes it for this process. The lock is the kernel's, through an
 * exclusive SQLite transaction on `lock`, so it goes with the process however that ends; the pid beside it is only for
 * the message. Nothing but SQLite may open `lock`: closing any descriptor of it would drop the lock (fcntl(2)).
 * Throws FOLDER_LOCKED naming folder and process; KEY_PERMISSIONS; STORE_FAILED, STORE_FULL.
 */
export function lockFolder(folder: string): FolderLock {
  const pidFile = join(folder, 'pid');
  const lockFile = join(folder, 'lock');
  try {
    makeFolder(folder);
    assertOwnFolder(folder);
    const lock = takeLock(lockFile, () => locked(folder, pidFile));
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
    return {
      release() {
        rmSync(pidFile, { force: true });
        lock.close();
      },
    };
  } catch (error) {
    throw isStepsealError(error) ? error : storeError(lockFile, error);
  }
}

function takeLock(path: string, busy: () => StepsealError): DatabaseSync {
  const lock = new DatabaseSync(path);
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw (error as { errcode?: unknown }).errcode === SQLITE_BUSY ? busy() : error;
  }
}

function locked(folder: string, pidFile: string): StepsealError {
  const pid = holder(pidFile);
  return new StepsealError('FOLDER_LOCKED', `the data folder ${folder} is in use by ${pid === undefined ? 'a process that just starts' : `process ${pid}`}`, {
    expected: `one server or agent for each data folder${pid === undefined ? '' : `; \`kill ${pid}\` stops that one`}`,
  });
}

function holder(pidFile: string): string | undefined {
  try {
    return readFileSync(pidFile, 'utf8').trim();
  } catch (error) {
    // the other process is between the two steps of lockFolder
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
