import { type FileRights, hashFile, openFolder } from '../attestor/file.ts';
import { closeAll } from '../attestor/procfs.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { claimResult, type ClaimedResult, type ResultType, resultValue } from '../provenance/result.ts';
import type { Attempt, TaskRunMemory } from './attempts.ts';
import type { Problems } from './problems.ts';

/** A result file as it is at the step's end. */
export interface ObservedResult {
  readonly name: string;
  readonly scope: 'task' | 'step';
  readonly type: ResultType;
  /** hex */
  readonly sha256: string;
  /** up to RETURNED bytes */
  readonly content: Uint8Array | undefined;
}

/** Larger ones are known by digest only. */
const RETURNED = 64 * 1024;
const RESULT_LIMITS = { bytes: 256 * 1024 * 1024, ms: 60_000 };

/** Every declared result that is there, of the task and of the step. What cannot be read is a problem. */
export async function observeResults({ hold, paths, results, stepResults }: Attempt, problems: Problems): Promise<ObservedResult[]> {
  const look = (scope: 'task' | 'step', folder: string, declared: ReadonlyMap<string, ResultType>) =>
    readFolder(hold.rootFd, hold.rights, { scope, folder, declared }, problems);
  return [...(await look('task', paths.results, results)), ...(await look('step', paths.stepResults, stepResults))];
}

interface Place {
  readonly scope: 'task' | 'step';
  readonly folder: string;
  readonly declared: ReadonlyMap<string, ResultType>;
}

async function readFolder(rootFd: number, rights: FileRights, { scope, folder, declared }: Place, problems: Problems): Promise<ObservedResult[]> {
  if (declared.size === 0) return [];
  const folderFd = await problems.try(() => openFolder(rootFd, folder, rights));
  if (folderFd === undefined) return [];
  const found: ObservedResult[] = [];
  try {
    for (const [name, type] of declared) {
      const file = await problems.try(() => readResult(folderFd, rights, name));
      if (file !== undefined) found.push({ name, scope, type, ...file });
    }
  } finally {
    closeAll(folderFd);
  }
  return found;
}

async function readResult(folderFd: number, rights: FileRights, name: string): Promise<{ sha256: string; content: Uint8Array | undefined } | undefined> {
  try {
    const { sha256, content } = await hashFile({ rootFd: folderFd, path: name, rights, limits: RESULT_LIMITS, beneath: true, keep: RETURNED });
    return { sha256: toHex(sha256), content };
  } catch (error) {
    if (isStepsealError(error) && error.code === 'FILE_NOT_FOUND') return undefined;
    if (isStepsealError(error) && error.code === 'FILE_TOO_LARGE') {
      throw new StepsealError('RESULT_TOO_LARGE', `result ${name} is larger than a result may be`, { expected: `at most ${RESULT_LIMITS.bytes} bytes`, cause: error });
    }
    throw error;
  }
}

/**
 * The results that this step left: its own, and those of the task that are new or changed. A task result that an earlier
 * step left and that this one changed or removed is a problem: RESULT_NOT_SIGNED_BY_PRODUCER. Remembers what is there.
 */
export function resultsOfStep(step: string, observed: readonly ObservedResult[], memory: TaskRunMemory, problems: Problems): ObservedResult[] {
  const there = new Map(observed.filter(({ scope }) => scope === 'task').map(({ name, sha256 }) => [name, sha256]));
  for (const [name, before] of memory.results) {
    if (there.get(name) === before.sha256) continue;
    problems.add('RESULT_NOT_SIGNED_BY_PRODUCER', `step ${step} ${there.has(name) ? 'overwrote' : 'removed'} result ${name}, which step ${before.step} had left`);
  }
  const own = observed.filter(({ scope, name, sha256 }) => scope === 'step' || memory.results.get(name)?.sha256 !== sha256);
  for (const [name, { step: producer }] of memory.results) memory.results.set(name, { step: producer, sha256: there.get(name) });
  for (const { scope, name, sha256 } of own) if (scope === 'task' && !memory.results.has(name)) memory.results.set(name, { step, sha256 });
  return own;
}

/** As the claim carries it; a content that is not of its declared type is a problem, and claimed by digest alone. */
export function claimOf({ name, scope, type, sha256, content }: ObservedResult, problems: Problems): ClaimedResult {
  const byDigest: ClaimedResult = { name, scope, type, sha256 };
  if (content === undefined) return byDigest;
  const claimed = claimResult(name, scope, type, content, false);
  if (claimed.value === undefined) return claimed;
  try {
    resultValue(type, claimed.value);
    return claimed;
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    problems.add(error.code, `result ${name}: ${error.message}`);
    return byDigest;
  }
}
