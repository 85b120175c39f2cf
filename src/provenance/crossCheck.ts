import { StepsealError } from '../base/errors.ts';
import { type AttemptPayloads, type AttemptRecord, readAttempt } from './attempt.ts';
import { agree } from './disagreement.ts';
import { evidenceSha256, type StepPaths } from './evidence.ts';
import { type ExpectedStep, type ExpectedTaskRun, externalParametersDigest, type RunFacts } from './facts.ts';
import { checkTaskResults } from './resultCheck.ts';
import type { RunnerView, ViewedStep, ViewedTaskRun } from './run.ts';

/**
 * Renders a step again from the server's own documents; answers SHA-256 of the canonical JSON of the RenderedStep, hex.
 * `attempts` are all of the run, in no order, for the results that the step may have used.
 */
export type RenderAgain = (step: {
  readonly taskRun: ExpectedTaskRun;
  readonly step: ExpectedStep;
  readonly paths: StepPaths;
  readonly attempts: readonly AttemptRecord[];
}) => string;

export interface CrossCheckInput {
  readonly facts: RunFacts;
  readonly view: RunnerView;
  readonly attempts: readonly AttemptPayloads[];
  readonly rendered: RenderAgain;
}

/** A run whose three views agree: the only thing that provenance is made from. */
export interface CheckedRun {
  readonly facts: RunFacts;
  readonly view: RunnerView;
  /** in the order of the server's plan: everything comes after what it needs */
  readonly attempts: readonly AttemptRecord[];
}

/**
 * Server, node and runner must say the same of a run, field by field (facts: verification 2.7.2); what the step claims
 * is compared with what the node hashed. Throws on the first difference: PROVENANCE_DISAGREEMENT, or more telling
 * RUN_UID_MISMATCH, ATTEMPT_MISMATCH, IDENTITY_MISMATCH, STEP_MISSING, STEP_UNEXPECTED, CLAIM_EQUIVOCATION,
 * RESULT_NOT_SIGNED_BY_PRODUCER, CLAIM_NAME_MISMATCH, CLAIM_ENCODING, OUTPUT_NOT_OBSERVED; RUN_NOT_SUCCEEDED for a run
 * that failed; and what parseClaim and parseNodeEvidence throw. Signatures are not checked here.
 */
export function crossCheck({ facts, view, attempts: payloads, rendered }: CrossCheckInput): CheckedRun {
  agree({ of: 'the run', field: 'run UID', left: ['server', facts.runUid], right: ['runner', view.runUid], code: 'RUN_UID_MISMATCH' });
  if (view.outcome !== 'succeeded') {
    throw new StepsealError('RUN_NOT_SUCCEEDED', 'provenance is only made for a run that succeeded', { expected: 'succeeded', found: view.outcome });
  }
  agree({ of: 'the run', field: 'isolation', left: ['server', facts.isolation], right: ['runner', view.isolation] });
  const attempts = payloads.map(readAttempt);
  const left = new Set(attempts);
  const ordered: AttemptRecord[] = [];
  const parameters = externalParametersDigest(facts.externalParameters);
  for (const [taskRun, viewed] of pairTaskRuns(facts, view)) {
    const ran: AttemptRecord[] = [];
    for (const [step, seen] of pairSteps(taskRun, viewed)) {
      const attempt = takeAttempt(left, taskRun, step, seen);
      if (attempt === undefined) continue;
      ran.push(attempt);
      checkEvidence(facts, parameters, taskRun, step, attempt);
      checkWhatRan(step, seen, attempt, rendered({ taskRun, step, paths: attempt.node.evidence.observed.paths, attempts }));
      checkOutputs(attempt);
    }
    checkTaskResults(taskRun, viewed, ran);
    ordered.push(...ran);
  }
  for (const { claim } of left) {
    throw new StepsealError('STEP_UNEXPECTED', 'node has evidence of a step that server and runner do not know', {
      expected: 'only the steps of the run',
      found: `step ${claim.step} of TaskRun ${claim.taskRunUid}`,
    });
  }
  return { facts, view, attempts: ordered };
}

function pairTaskRuns(facts: RunFacts, view: RunnerView): [ExpectedTaskRun, ViewedTaskRun][] {
  agree({
    of: 'the run',
    field: 'its TaskRuns',
    left: ['server', facts.taskRuns.map(({ uid, pipelineTask }) => `${uid} ${pipelineTask}`).toSorted()],
    right: ['runner', view.taskRuns.map(({ uid, pipelineTask }) => `${uid} ${pipelineTask}`).toSorted()],
  });
  return facts.taskRuns.map((taskRun) => [taskRun, view.taskRuns.find(({ uid }) => uid === taskRun.uid)!]);
}

function pairSteps(taskRun: ExpectedTaskRun, viewed: ViewedTaskRun): [ExpectedStep, ViewedStep][] {
  const expected = taskRun.steps.map(({ name }) => name);
  const found = viewed.steps.map(({ name }) => name);
  const extra = found.find((name) => !expected.includes(name));
  agree({
    of: `TaskRun ${taskRun.uid}`,
    field: 'its steps',
    left: ['server', expected],
    right: ['runner', found],
    code: extra === undefined ? 'STEP_MISSING' : 'STEP_UNEXPECTED',
  });
  return taskRun.steps.map((step, index) => [step, viewed.steps[index]!]);
}

/** The one attempt of a step that ran, removed from `left`; undefined for a skipped step. */
function takeAttempt(left: Set<AttemptRecord>, taskRun: ExpectedTaskRun, step: ExpectedStep, seen: ViewedStep): AttemptRecord | undefined {
  const of = `step ${step.name} of TaskRun ${taskRun.uid}`;
  const own = [...left].filter(({ claim }) => claim.taskRunUid === taskRun.uid && claim.step === step.name);
  if (seen.outcome === 'skipped') {
    if (own.length > 0) throw new StepsealError('STEP_UNEXPECTED', `runner skipped ${of}, but node has evidence of it`);
    return undefined;
  }
  const [attempt, second] = own;
  if (attempt === undefined) throw new StepsealError('STEP_MISSING', `runner ran ${of}, but node has no evidence of it`);
  if (second !== undefined) throw new StepsealError('CLAIM_EQUIVOCATION', `two claims of ${of}`, { found: `${attempt.claim.attempt} and ${second.claim.attempt}` });
  left.delete(attempt);
  agree({ of, field: 'attempt', left: ['runner', seen.attempt], right: ['node', attempt.claim.attempt], code: 'ATTEMPT_MISMATCH' });
  agree({ of, field: 'attempt number', left: ['runner', seen.attemptNumber], right: ['node', attempt.claim.attemptNumber], code: 'ATTEMPT_MISMATCH' });
  return attempt;
}

function checkEvidence(facts: RunFacts, parametersDigest: string, taskRun: ExpectedTaskRun, step: ExpectedStep, { claim, node }: AttemptRecord): void {
  const of = `step ${step.name} of TaskRun ${taskRun.uid}`;
  const { evidence } = claim;
  agree({ of, field: 'evidence', left: ['claim', evidenceSha256(evidence)], right: ['node', evidenceSha256(node.evidence)] });
  agree({ of, field: 'run UID', left: ['server', facts.runUid], right: ['node', evidence.runUid], code: 'RUN_UID_MISMATCH' });
  agree({ of, field: 'identity', left: ['server', step.identity], right: ['node', evidence.identity], code: 'IDENTITY_MISMATCH' });
  agree({ of, field: 'pipelineTask', left: ['server', taskRun.pipelineTask], right: ['node', evidence.pipelineTask] });
  agree({ of, field: 'task', left: ['server', taskRun.task], right: ['node', evidence.task] });
  agree({ of, field: 'taskDigest', left: ['server', taskRun.taskDigest], right: ['node', evidence.taskDigest] });
  agree({ of, field: 'parametersDigest', left: ['server', parametersDigest], right: ['node', evidence.parametersDigest] });
  agree({ of, field: 'isolation', left: ['server', facts.isolation], right: ['node', evidence.observed.isolation] });
  agree({ of, field: 'image', left: ['server', step.image], right: ['node', evidence.observed.image] });
}

function checkWhatRan(step: ExpectedStep, seen: ViewedStep, { claim, node }: AttemptRecord, rendered: string): void {
  const of = `step ${step.name} of TaskRun ${claim.taskRunUid}`;
  agree({ of, field: 'rendered', left: ['server', rendered], right: ['node', node.evidence.observed.rendered] });
  agree({ of, field: 'rendered', left: ['runner', seen.rendered], right: ['node', node.evidence.observed.rendered] });
  agree({ of, field: 'exitCode', left: ['runner', seen.exitCode], right: ['node', node.exitCode] });
  agree({ of, field: 'started', left: ['runner', seen.started], right: ['node', node.started] });
  agree({ of, field: 'finished', left: ['runner', seen.finished], right: ['node', node.finished] });
  const good = node.exitCode === 0 && node.reason === '';
  agree({ of, field: 'outcome', left: ['runner', seen.outcome], right: ['node', good ? 'succeeded' : 'failed'] });
}

/** What the claim lists is exactly what the node hashed. */
function checkOutputs({ claim, node }: AttemptRecord): void {
  const of = `step ${claim.step} of TaskRun ${claim.taskRunUid}`;
  const hashed = ({ name, scope, sha256 }: { name: string; scope: string; sha256: string }): string => `${scope}/${name} ${sha256}`;
  agree({
    of,
    field: 'results',
    left: ['claim', claim.results.map(hashed).toSorted()],
    right: ['node', node.results.map(hashed).toSorted()],
    code: 'OUTPUT_NOT_OBSERVED',
  });
  const listed = ({ name, uri, sha256, observed }: { name: string; uri: string; sha256: string; observed: boolean }): string => JSON.stringify([name, uri, sha256, observed]);
  agree({
    of,
    field: 'artifacts',
    left: ['claim', claim.artifacts.map(listed).toSorted()],
    right: ['node', node.artifacts.map(listed).toSorted()],
    code: 'OUTPUT_NOT_OBSERVED',
  });
}
