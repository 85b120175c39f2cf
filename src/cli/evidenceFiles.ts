import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StepsealError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import type { DigestName } from '../base/ports.ts';
import type { ArtifactDigests } from '../verifier/content.ts';
import type { NamedBytes } from '../verifier/evidenceSet.ts';
import { unreadable } from './fileErrors.ts';

const MAX_FILE = 64 * 1024 * 1024;
const CHUNK = 256 * 1024;
const MAX_BUNDLES = 20_000;
const BUNDLE_NAME = /\.(?:sigstore(?:\.json)?|bundle|jsonl)$/;

/** A file, whole; the error names it as the user did. What the user named may be a pipe too. Throws FILE_UNREADABLE, FILE_TOO_LARGE. */
export function readInput(path: string, cwd: string): Uint8Array {
  return readable(path, () => {
    const fd = openSync(resolve(cwd, path), 'r');
    try {
      return readWhole(fd, path);
    } finally {
      closeSync(fd);
    }
  });
}

/** Reads to the end and no further than the limit: the size of a pipe or a device says nothing. */
function readWhole(fd: number, path: string): Uint8Array {
  const chunks: Buffer[] = [];
  for (let size = 0; size <= MAX_FILE;) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    const count = readSync(fd, chunk);
    if (count === 0) return new Uint8Array(Buffer.concat(chunks));
    chunks.push(chunk.subarray(0, count));
    size += count;
  }
  throw new StepsealError('FILE_TOO_LARGE', `${path} is too large to be what it should be`, { expected: `at most ${MAX_FILE} bytes` });
}

/**
 * Bundles from files and folders, in order; a folder gives the regular files that are named like a bundle, `.jsonl` one per
 * line. Throws FILE_UNREADABLE, FILE_TOO_LARGE, FILE_NOT_REGULAR, EVIDENCE_INCOMPLETE.
 */
export function readBundles(paths: readonly string[], cwd: string): NamedBytes[] {
  const bundles = paths.flatMap((path) => {
    const folder = readable(path, () => statSync(resolve(cwd, path))).isDirectory();
    if (!folder) return split(path, readInput(path, cwd));
    const names = readable(path, () => readdirSync(resolve(cwd, path))).filter((name) => BUNDLE_NAME.test(name)).toSorted();
    if (names.length === 0) throw new StepsealError('EVIDENCE_INCOMPLETE', `folder ${path} holds no bundle`, { expected: 'files that end in .sigstore.json' });
    return names.flatMap((name) => split(join(path, name), readInput(regular(join(path, name), cwd), cwd)));
  });
  if (bundles.length > MAX_BUNDLES) throw tooMany(bundles.length);
  return bundles;
}

/** In a folder of somebody else's making a pipe would be waited for. */
function regular(path: string, cwd: string): string {
  if (!readable(path, () => statSync(resolve(cwd, path))).isFile()) throw new StepsealError('FILE_NOT_REGULAR', `${path} is not a regular file`);
  return path;
}

function tooMany(found: number): StepsealError {
  return new StepsealError('FILE_TOO_LARGE', 'that is more evidence than can belong together', { expected: `at most ${MAX_BUNDLES} bundles`, found: `${found}` });
}

function split(path: string, bytes: Uint8Array): NamedBytes[] {
  if (!path.endsWith('.jsonl')) return [{ name: basename(path), bytes }];
  const lines = Buffer.from(bytes).toString('latin1').split('\n', MAX_BUNDLES + 1);
  if (lines.length > MAX_BUNDLES) throw tooMany(lines.length);
  return lines.flatMap((line, index) => (line === '' ? [] : [{ name: `${basename(path)}:${index + 1}`, bytes: Buffer.from(line, 'latin1') }]));
}

/** `sha256:HEX`, or a file that is hashed as it is read. Throws DIGEST_INVALID, FILE_UNREADABLE. */
export async function readArtifact(artifact: string, hashes: readonly DigestName[], cwd: string): Promise<ArtifactDigests> {
  if (artifact.startsWith('sha256:')) return { sha256: parseDigest(artifact) };
  const states = hashes.map((hash) => [hash, createHash(hash)] as const);
  try {
    await pipeline(createReadStream(resolve(cwd, artifact)), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) for (const [, state] of states) state.update(chunk);
    });
  } catch (cause) {
    throw unreadable(artifact, cause);
  }
  return Object.fromEntries(states.map(([hash, state]) => [hash, state.digest()])) as unknown as ArtifactDigests;
}

function parseDigest(artifact: string): Uint8Array {
  const hex = artifact.slice('sha256:'.length);
  if (/^[0-9a-f]{64}$/.test(hex)) return fromHex(hex);
  throw new StepsealError('DIGEST_INVALID', 'not a SHA-256 digest', { expected: 'sha256: and 64 lower-case hexadecimal characters', found: artifact });
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}
