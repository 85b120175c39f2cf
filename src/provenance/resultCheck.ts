import { StepsealError } from '../base/errors.ts';
import type { AttemptRecord } from './attempt.ts';
import type { ClaimedResult } from './result.ts';
import type { DeclaredResult, ExpectedTaskRun } from './facts.ts';
import type { ViewedResult, ViewedTaskRun } from './run.ts';

interface Produced {
  readonly result: ClaimedResult;
  readonly step: string;
}

/**
 * The producer of a task result is the first step that leaves it; every later claim of it, and the runner at the end,
 * must have the same bytes. `ran` in the order in which the steps ran.
 */
export function checkTaskResults(taskRun: ExpectedTaskRun, viewed: ViewedTaskRun, ran: readonly AttemptRecord[]): void {
  const produced = new Map<string, Produced>();
  for (const { claim } of ran) {
    const declared = taskRun.steps.find(({ name }) => name === claim.step)!.results;
    for (const result of claim.results) {
      checkType(result, result.scope === 'task' ? taskRun.results : declared, claim.step);
      if (result.scope !== 'task') continue;
      const before = produced.get(result.name);
      if (before === undefined) produced.set(result.name, { result, step: claim.step });
      else if (before.result.sha256 !== result.sha256) throw overwritten(result.name, before, `step ${claim.step} left ${result.sha256}`);
    }
  }
  for (const result of viewed.results) checkUsed(result, produced);
  for (const [name, { step, result }] of produced) {
    if (viewed.results.some((used) => used.name === name)) continue;
    throw new StepsealError('PROVENANCE_DISAGREEMENT', `node and runner disagree on result ${name} of TaskRun ${taskRun.uid}`, {
      expected: `node: step ${step} left ${result.sha256}`,
      found: 'runner: nothing',
    });
  }
}

function checkType(result: ClaimedResult, declared: readonly DeclaredResult[], step: string): void {
  const own = declared.find(({ name }) => name === result.name);
  if (own === undefined) {
    throw new StepsealError('PROVENANCE_DISAGREEMENT', `node saw a result of step ${step} that server does not know`, { expected: 'declared results only', found: `${result.scope}/${result.name}` });
  }
  if (own.type !== result.type) {
    throw new StepsealError('CLAIM_ENCODING', `server and node disagree on the type of result ${result.name} of step ${step}`, { expected: own.type, found: result.type });
  }
}

function checkUsed(used: ViewedResult, produced: ReadonlyMap<string, Produced>): void {
  const own = produced.get(used.name);
  const other = [...produced.values()].find(({ result }) => result.sha256 === used.sha256 && result.name !== used.name);
  if (own?.result.sha256 !== used.sha256 && other !== undefined) {
    throw new StepsealError('CLAIM_NAME_MISMATCH', `runner uses as result ${used.name} what was claimed as another`, { expected: own?.result.sha256 ?? 'nothing', found: `${other.result.name} of step ${other.step}` });
  }
  if (own?.result.sha256 !== used.sha256) throw overwritten(used.name, own, `runner used ${used.sha256}`);
  if (own.result.type !== used.type) {
    throw new StepsealError('CLAIM_ENCODING', `node and runner disagree on the type of result ${used.name}`, { expected: own.result.type, found: used.type });
  }
}

function overwritten(name: string, producer: Produced | undefined, found: string): StepsealError {
  return new StepsealError('RESULT_NOT_SIGNED_BY_PRODUCER', `result ${name} is not what its producer left`, {
    expected: producer === undefined ? 'a claim by the step that produced it' : `step ${producer.step} left ${producer.result.sha256}`,
    found,
  });
}
