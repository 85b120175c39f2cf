import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, read, renameSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { StepsealError } from '../base/errors.ts';
import { requireNative } from '../keys/native.ts';

const CHUNK = 1024 * 1024;

/**
 * Copies a file of a step, while its namespaces exist, and only if it has the SHA-256 (hex) that was sealed; nothing is
 * left otherwise. `pid`: the step's first process, whose root the absolute path is seen from. Throws ARTIFACT_CHANGED,
 * NATIVE_UNAVAILABLE; errors of the file system are passed on.
 */
export async function copyArtifact(artifact: { readonly path: string; readonly sha256: string }, pid: number, destination: string): Promise<void> {
  const source = await openSeen(artifact.path, pid);
  const part = `${destination}.part`;
  try {
    const target = await open(part, 'wx', 0o644);
    let digest: string;
    try {
      digest = await pump(source, target);
      await target.sync();
    } finally {
      await target.close();
    }
    if (digest !== artifact.sha256) {
      throw new StepsealError('ARTIFACT_CHANGED', `${artifact.path} is not what was sealed`, { expected: artifact.sha256, found: digest });
    }
    renameSync(part, destination);
  } finally {
    rmSync(part, { force: true });
    closeSync(source);
  }
}

/** Never waits on a FIFO, and follows links in the step's own view; what else the path may lead to, the digest tells. */
async function openSeen(path: string, pid: number): Promise<number> {
  const root = openSync(`/proc/${pid}/root`, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await requireNative().openInRoot(root, path, process.getuid!(), process.getgid!(), process.getgroups!(), 0);
  } catch (cause) {
    throw new StepsealError('ARTIFACT_CHANGED', `${path} was sealed and cannot be opened any more: ${(cause as Error).message}`, { cause });
  } finally {
    closeSync(root);
  }
}

async function pump(source: number, target: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let position = 0; ; ) {
    const count = await new Promise<number>((resolve, reject) => read(source, buffer, 0, CHUNK, position, (error, n) => (error ? reject(error) : resolve(n))));
    if (count === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, count));
    await target.write(buffer, 0, count);
    position += count;
  }
}
