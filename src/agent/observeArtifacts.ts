import { ARTIFACT_LIMITS, type FileLimits, hashFile } from '../attestor/file.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { ClaimedArtifact, NamedDigest } from '../provenance/claim.ts';
import { type DeclaredArtifact, type DeclaredArtifacts, isArtifactResult, readArtifactResult, readArtifactsFile } from './artifactsFile.ts';
import type { Attempt, TaskRunMemory } from './attempts.ts';
import type { ObservedResult } from './observeResults.ts';
import type { Problems } from './problems.ts';

/** An artifact of the step; `path` as the step sees it, '' where no file stands behind the digest. */
export interface ObservedArtifact extends ClaimedArtifact {
  readonly path: string;
}

export interface ObservedArtifacts {
  readonly artifacts: readonly ObservedArtifact[];
  readonly inputs: readonly NamedDigest[];
}

const FILE_LIMITS = { bytes: 4 * 1024 * 1024, ms: 10_000 };
const MAX_ARTIFACTS = 2000;
/** for all files of a step together: a step may declare one large sparse file two thousand times */
const END_MS = 10 * 60_000;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * What the step declares to have made and used: in artifact results, in its own artifacts file, and in the task's where it
 * has written to that. A file is opened and must have the declared digest, else OUTPUT_NOT_OBSERVED. Files that the step had
 * sealed must be as they were, else ARTIFACT_CHANGED. Inputs without SHA-256 (a git commit) are not listed.
 */
export async function observeArtifacts(attempt: Attempt, results: readonly ObservedResult[], memory: TaskRunMemory, problems: Problems): Promise<ObservedArtifacts> {
  const until = performance.now() + END_MS;
  const limits = (): FileLimits => ({ ...ARTIFACT_LIMITS, ms: Math.max(1, until - performance.now()) });
  await checkSealedFiles(attempt, limits, problems);
  const declared: DeclaredArtifacts[] = [];
  for (const result of results) {
    const content = isArtifactResult(result.name) && result.type === 'object' ? result.content : undefined;
    if (content !== undefined) declared.push((await problems.try(async () => readArtifactResult(result.name, content))) ?? { inputs: [], outputs: [] });
  }
  for (const path of [attempt.paths.stepArtifacts, attempt.paths.taskArtifacts]) {
    const found = await problems.try(() => readDeclared(attempt, path, memory));
    if (found !== undefined) declared.push(found);
  }
  const outputs = declared.flatMap((each) => each.outputs);
  if (outputs.length > MAX_ARTIFACTS) problems.add('ARTIFACTS_TOO_MANY', `step ${attempt.evidence.step} declares ${outputs.length} artifacts; at most ${MAX_ARTIFACTS} are sealed`);
  const artifacts: ObservedArtifact[] = [];
  for (const output of outputs.slice(0, MAX_ARTIFACTS)) {
    const artifact = await problems.try(() => observe(attempt, output, limits()));
    if (artifact !== undefined) artifacts.push(artifact);
  }
  const inputs = declared.flatMap((each) => each.inputs).flatMap(({ name, uri, digest }) => (SHA256.test(digest['sha256'] ?? '') ? [{ name, uri, sha256: digest['sha256']! }] : []));
  return { artifacts: once(artifacts), inputs: once(inputs) };
}

/** Declared twice, in a result and in a file: one artifact. */
function once<T extends NamedDigest>(items: readonly T[]): T[] {
  return items.filter((item, index) => items.findIndex(({ name, sha256 }) => name === item.name && sha256 === item.sha256) === index);
}

async function readDeclared({ hold, paths }: Attempt, path: string, memory: TaskRunMemory): Promise<DeclaredArtifacts | undefined> {
  const file = await readIfThere(() => hashFile({ rootFd: hold.rootFd, path, rights: hold.rights, limits: FILE_LIMITS, keep: FILE_LIMITS.bytes }));
  if (file === undefined || file.size === 0) return undefined;
  if (path === paths.taskArtifacts) {
    const digest = toHex(file.sha256);
    // an earlier step's, which has answered for it
    if (digest === memory.artifactsFile) return undefined;
    memory.artifactsFile = digest;
  }
  return readArtifactsFile(file.content!, path);
}

async function readIfThere<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isStepsealError(error) && error.code === 'FILE_NOT_FOUND') return undefined;
    throw error;
  }
}

async function observe(attempt: Attempt, { name, uri, digest }: DeclaredArtifact, limits: FileLimits): Promise<ObservedArtifact> {
  const declared = digest['sha256'] ?? '';
  if (!SHA256.test(declared)) throw new StepsealError('DIGEST_INVALID', `artifact ${name} has no usable digest`, { expected: 'sha256 with 64 lower-case hexadecimal characters', found: JSON.stringify(digest) });
  const path = pathOf(uri);
  if (path === undefined) return { name: nameOf(uri) || name, uri, sha256: declared, observed: false, path: '' };
  const found = await hashOutput(attempt, path, uri, limits);
  if (found !== declared) throw new StepsealError('OUTPUT_NOT_OBSERVED', `the file of artifact ${name} does not have the declared digest`, { expected: declared, found });
  return { name: nameOf(path), uri, sha256: declared, observed: true, path };
}

async function hashOutput({ hold }: Attempt, path: string, uri: string, limits: FileLimits): Promise<string> {
  try {
    return toHex((await hashFile({ rootFd: hold.rootFd, path, rights: hold.rights, limits })).sha256);
  } catch (error) {
    if (isStepsealError(error) && error.code === 'FILE_NOT_FOUND') throw new StepsealError('OUTPUT_NOT_OBSERVED', `there is no file at ${uri}`, { cause: error });
    throw error;
  }
}

/** The file behind a URI, as the step sees it: `file:///…` or an absolute path; undefined for everything else (purls, image references, URLs). */
function pathOf(uri: string): string | undefined {
  if (uri.startsWith('/')) return uri;
  const match = /^file:\/\/(?:localhost)?(\/.*)$/i.exec(uri);
  if (match === null) return undefined;
  try {
    return decodeURIComponent(match[1]!);
  } catch (cause) {
    throw new StepsealError('ARTIFACTS_INVALID', 'a file URI that is not percent-encoded rightly', { found: uri, cause });
  }
}

/** The last part of a path or URI, for people and file names; digests and tags of images stay out. */
function nameOf(uri: string): string {
  return uri.replace(/[?#].*$/, '').replace(/@[^/]*$/, '').split('/').findLast((part) => part !== '') ?? '';
}

async function checkSealedFiles({ hold, sealedFiles }: Attempt, limits: () => FileLimits, problems: Problems): Promise<void> {
  for (const [path, sealed] of sealedFiles) {
    await problems.try(async () => {
      const now = await readIfThere(() => hashFile({ rootFd: hold.rootFd, path, rights: hold.rights, limits: limits() }));
      const found = now === undefined ? 'nothing' : toHex(now.sha256);
      if (found !== sealed) throw new StepsealError('ARTIFACT_CHANGED', `${path} was sealed and changed afterwards`, { expected: sealed, found });
    });
  }
}
