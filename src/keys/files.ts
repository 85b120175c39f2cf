import { randomBytes } from 'node:crypto';
import { constants, existsSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StepsealError } from '../base/errors.ts';

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
/** Keys and certificates are a few KiB; anything larger is another file. */
const SIZE_LIMIT = 256 * 1024;
const TEMPORARY = /\.[0-9a-f]{16}\.tmp$/;

/**
 * The folder and what is missing above it, 0700 by default. Not by Node's own `recursive`: that never ends where a file
 * system answers ENOENT to a new name in a folder that is there, such as /proc. Throws what mkdir(2) fails with.
 */
export function makeFolder(path: string, mode = PRIVATE_FOLDER): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  const above = dirname(path);
  if (above !== path && !existsSync(above)) makeFolder(above, mode);
  try {
    mkdirSync(path, mode);
  } catch (error) {
    // another process was quicker
    if (!existsSync(path) || !statSync(path).isDirectory()) throw error;
  }
}

/**
 * Makes sure that a folder for keys exists (0700 when it is made here) and that only its owner can put files into it.
 * Removes what a crash left half written: the caller holds the folder's lock. Throws KEY_PERMISSIONS.
 */
export async function preparePrivateFolder(path: string): Promise<void> {
  makeFolder(path);
  assertOwnFolder(path);
  for (const name of await readdir(path)) if (TEMPORARY.test(name)) await unlink(join(path, name));
}

/** Only its owner, who is this user, may put files into the folder: what is there is ours, and no link leads what we write elsewhere. Throws KEY_PERMISSIONS. */
export function assertOwnFolder(path: string): void {
  const found = statSync(path);
  if ((found.mode & OTHERS_WRITE) === 0 && ownedByUs(found)) return;
  throw new StepsealError('KEY_PERMISSIONS', `others can replace what is in ${path}`, { expected: 'a folder of this user, mode 0700', found: describeMode(found) });
}

/** Content of a file that nobody else may read, or undefined where there is none. Throws KEY_PERMISSIONS, KEY_INVALID. */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  return readSmallFile(path, OTHERS);
}

/** The same for what is not secret, but must not be anybody's to change. */
export async function readOwnFile(path: string): Promise<string | undefined> {
  return readSmallFile(path, OTHERS_WRITE);
}

/**
 * Writes a file (0600) so that after a crash at any moment either nothing or all of it is there under its name:
 * unique temporary name, fsync, rename, fsync of the folder.
 */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', PRIVATE_FILE);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

async function readSmallFile(path: string, forbidden: number): Promise<string | undefined> {
  const file = await openExisting(path);
  if (file === undefined) return undefined;
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > SIZE_LIMIT) {
      throw new StepsealError('KEY_INVALID', `${path} is not a key or certificate file`, { expected: `a regular file of at most ${SIZE_LIMIT} bytes` });
    }
    if ((found.mode & forbidden) !== 0 || !ownedByUs(found)) {
      throw new StepsealError('KEY_PERMISSIONS', `others have access to ${path}`, { expected: 'a file of this user, mode 0600', found: describeMode(found) });
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    // O_NONBLOCK: a FIFO under this name must not stop the start
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function ownedByUs(found: Stats): boolean {
  return found.uid === process.geteuid?.() || found.uid === 0;
}

function describeMode(found: Stats): string {
  return `uid ${found.uid}, mode 0${(found.mode & 0o777).toString(8)}`;
}
