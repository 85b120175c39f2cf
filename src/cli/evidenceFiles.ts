import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { asStepsealError, StepsealError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import type { DigestName } from '../base/ports.ts';
import type { ArtifactDigests } from '../verifier/content.ts';
import type { NamedBytes } from '../verifier/evidenceSet.ts';

const MAX_FILE = 64 * 1024 * 1024;
const BUNDLE_NAME = /\.(?:sigstore(?:\.json)?|bundle|jsonl)$/;

/** A file, whole; the error names it as the user did. Throws FILE_UNREADABLE, FILE_TOO_LARGE. */
export function readInput(path: string, cwd: string): Uint8Array {
  return readable(path, () => {
    const { size } = statSync(resolve(cwd, path));
    if (size > MAX_FILE) throw new StepsealError('FILE_TOO_LARGE', `${path} is too large to be what it should be`, { expected: `at most ${MAX_FILE} bytes`, found: `${size} bytes` });
    return readFileSync(resolve(cwd, path));
  });
}

/** Bundles from files and folders, in order; a folder gives what is named like a bundle, `.jsonl` one per line. */
export function readBundles(paths: readonly string[], cwd: string): NamedBytes[] {
  return paths.flatMap((path) => {
    const folder = readable(path, () => statSync(resolve(cwd, path))).isDirectory();
    if (!folder) return split(path, readInput(path, cwd));
    const names = readable(path, () => readdirSync(resolve(cwd, path))).filter((name) => BUNDLE_NAME.test(name)).toSorted();
    if (names.length === 0) throw new StepsealError('EVIDENCE_INCOMPLETE', `folder ${path} holds no bundle`, { expected: 'files that end in .sigstore.json' });
    return names.flatMap((name) => split(join(path, name), readInput(join(path, name), cwd)));
  });
}

function split(path: string, bytes: Uint8Array): NamedBytes[] {
  if (!path.endsWith('.jsonl')) return [{ name: basename(path), bytes }];
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
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
    throw asStepsealError(cause, 'FILE_UNREADABLE', `${artifact} cannot be read`);
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
    throw asStepsealError(cause, 'FILE_UNREADABLE', `${path} cannot be read`);
  }
}
