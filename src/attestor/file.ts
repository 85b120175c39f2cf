import { createHash } from 'node:crypto';
import { close, fstat, read, type BigIntStats } from 'node:fs';
import { promisify } from 'node:util';
import { StepsealError, type Code } from '../base/errors.ts';
import { OPEN, requireNative } from '../keys/native.ts';

/** With whose rights a file is opened: the kernel decides as if that process had asked. */
export interface FileRights {
  readonly uid: number;
  readonly gid: number;
  /** supplementary */
  readonly groups: readonly number[];
  /** it may read what permissions forbid, as root may in the agent's own user namespace; default false */
  readonly overrides?: boolean;
}

export interface FileLimits {
  readonly bytes: number;
  readonly ms: number;
}

export const ARTIFACT_LIMITS: FileLimits = { bytes: 10 * 1024 ** 3, ms: 10 * 60_000 };

export interface HashRequest {
  /** descriptor of the folder that is `/` to the path (or its start, with `beneath`) */
  readonly rootFd: number;
  /** without `beneath` absolute, in the caller's view */
  readonly path: string;
  readonly rights: FileRights;
  readonly limits: FileLimits;
  /** relative path that may not leave rootFd, through no symbolic link, on no other mount: for results */
  readonly beneath?: boolean;
  /** the content is returned too where it has at most so many bytes; default 0 */
  readonly keep?: number;
}

export interface HashedFile {
  readonly sha256: Uint8Array;
  /** bytes */
  readonly size: number;
  readonly content: Uint8Array | undefined;
}

const CHUNK = 1024 * 1024;
const fstatFd = promisify<number, { bigint: true }, BigIntStats>(fstat);
const readFd = promisify<number, Buffer, number, number, number, number>((fd, buffer, offset, length, position, done) => read(fd, buffer, offset, length, position, done));
const closeFd = promisify(close);

/**
 * SHA-256 of a file that somebody else named, read by one descriptor. Throws FILE_PATH_INVALID, FILE_OUTSIDE_ROOT (`..`, or
 * a mount or link that leads away), FILE_NOT_FOUND, FILE_NOT_REGULAR (folder, FIFO, device, socket; a symbolic link
 * where none may be), FILE_UNREADABLE (to the rights given), FILE_TOO_LARGE, FILE_TOO_SLOW, FILE_CHANGED (written to
 * while it was read), FILE_FAILED.
 */
export async function hashFile(request: HashRequest): Promise<HashedFile> {
  assertPath(request.path, request.beneath ?? false);
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new StepsealError('FILE_TOO_SLOW', `${request.path} could not be read in time`, { expected: `at most ${request.limits.ms} ms` })), request.limits.ms);
  const stopped = { value: false };
  const work = hashOpened(request, stopped);
  // a read that hangs (FUSE, NFS) cannot be stopped: its descriptor is closed when it returns
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    stopped.value = true;
    clearTimeout(timer);
  }
}

async function hashOpened(request: HashRequest, stopped: { readonly value: boolean }): Promise<HashedFile> {
  const fd = await openFile(request);
  try {
    return await hashDescriptor(fd, request, stopped);
  } finally {
    await closeFd(fd);
  }
}

/** A folder in the view of `rootFd`, through no symbolic link, as rootFd for `beneath`; undefined where there is none. The caller closes it. Throws FILE_*. */
export async function openFolder(rootFd: number, path: string, rights: FileRights): Promise<number | undefined> {
  assertPath(path, false);
  try {
    return await requireNative().openInRoot(rootFd, path, rights.uid, rights.gid, rights.groups, OPEN.folder | OPEN.noSymlinks | overriding(rights));
  } catch (cause) {
    const error = refusal(path, cause);
    if (error.code === 'FILE_NOT_FOUND') return undefined;
    throw error;
  }
}

async function openFile({ rootFd, path, rights, beneath }: HashRequest): Promise<number> {
  const flags = (beneath === true ? OPEN.beneath | OPEN.noSymlinks | OPEN.noXdev : 0) | overriding(rights);
  try {
    return await requireNative().openInRoot(rootFd, path, rights.uid, rights.gid, rights.groups, flags);
  } catch (cause) {
    throw refusal(path, cause);
  }
}

const overriding = ({ overrides }: FileRights): number => (overrides === true ? OPEN.override : 0);

async function hashDescriptor(fd: number, { path, limits, keep = 0 }: HashRequest, stopped: { readonly value: boolean }): Promise<HashedFile> {
  const before = await fstatFd(fd, { bigint: true });
  if (before.size > BigInt(limits.bytes)) throw tooLarge(path, limits.bytes, `${before.size} bytes`);
  const state = createHash('sha256');
  const kept: Uint8Array[] = [];
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(4096, Number(before.size) + 1)));
  let size = 0;
  for (;;) {
    if (stopped.value) throw new StepsealError('FILE_TOO_SLOW', `${path} could not be read in time`);
    const count = await readFd(fd, buffer, 0, buffer.length, size);
    if (count === 0) break;
    size += count;
    if (size > limits.bytes) throw tooLarge(path, limits.bytes, 'more');
    state.update(buffer.subarray(0, count));
    if (size <= keep) kept.push(new Uint8Array(buffer.subarray(0, count)));
  }
  const after = await fstatFd(fd, { bigint: true });
  if (BigInt(size) !== before.size || (['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const).some((field) => before[field] !== after[field])) {
    throw new StepsealError('FILE_CHANGED', `${path} changed while it was read`);
  }
  return { sha256: new Uint8Array(state.digest()), size, content: size <= keep ? new Uint8Array(Buffer.concat(kept)) : undefined };
}

/** `..` is refused as text: what it means depends on links that the caller can exchange at any moment. */
function assertPath(path: string, relative: boolean): void {
  const invalid = path === '' || path.includes('\0') || Buffer.byteLength(path) >= 4096 || path.startsWith('/') === relative;
  if (invalid) throw new StepsealError('FILE_PATH_INVALID', 'a path that cannot be opened', { expected: `${relative ? 'a relative' : 'an absolute'} path of at most 4095 bytes`, found: path });
  if (path.split('/').includes('..')) throw new StepsealError('FILE_OUTSIDE_ROOT', 'a path may not hold `..`', { found: path });
}

const REFUSALS: Record<string, [Code, string]> = {
  NOT_REGULAR: ['FILE_NOT_REGULAR', 'is not a regular file'],
  ELOOP: ['FILE_NOT_REGULAR', 'is or passes a symbolic link'],
  EISDIR: ['FILE_NOT_REGULAR', 'is a folder'],
  ENXIO: ['FILE_NOT_REGULAR', 'is not a regular file'],
  EXDEV: ['FILE_OUTSIDE_ROOT', 'leads out of the folder'],
  ENOENT: ['FILE_NOT_FOUND', 'does not exist'],
  ENOTDIR: ['FILE_NOT_FOUND', 'does not exist'],
  EACCES: ['FILE_UNREADABLE', 'may not be read by the caller'],
  EPERM: ['FILE_UNREADABLE', 'may not be read by the caller'],
  ENAMETOOLONG: ['FILE_PATH_INVALID', 'is too long a path'],
};

function refusal(path: string, cause: unknown): StepsealError {
  const name = (cause as NodeJS.ErrnoException).code ?? '';
  const [code, text] = REFUSALS[name] ?? ['FILE_FAILED', `cannot be opened: ${(cause as Error).message}`];
  return new StepsealError(code, `${path} ${text}`, { cause });
}

function tooLarge(path: string, limit: number, found: string): StepsealError {
  return new StepsealError('FILE_TOO_LARGE', `${path} is larger than the limit`, { expected: `at most ${limit} bytes`, found });
}
