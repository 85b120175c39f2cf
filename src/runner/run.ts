import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { native } from '../keys/native.ts';
import { encodeRunnerView, type Outcome, type RunnerView } from '../provenance/run.ts';
import { assertNoFixedPaths } from '../task/check.ts';
import type { EndedTask } from '../task/pipelineScope.ts';
import { planRun } from '../task/plan.ts';
import { readDocuments, type SourceFile } from '../task/readDocuments.ts';
import { resolveTaskRun } from '../task/resolve.ts';
import { pipelineResults } from '../task/results.ts';
import type { TaskRunPlan } from '../task/runPlan.ts';
import type { Values } from '../task/value.ts';
import type { Problem, RunContext, RunnerOptions } from './context.ts';
import { holdHidden } from './hidden.ts';
import { removeAll } from './removeAll.ts';
import { schedule } from './schedule.ts';
import { type FinishedTask, runTask, skipTask } from './taskRun.ts';

export interface RunRequest {
  readonly files: readonly SourceFile[];
  readonly params: Values;
  /** workspace → absolute directory */
  readonly workspaces: Readonly<Record<string, string>>;
  /** `name` or `Kind/name`; '' where the files leave no choice */
  readonly entry: string;
}

export interface RunResult {
  readonly runUid: string;
  readonly outcome: 'succeeded' | 'failed';
  /** why it failed; '' otherwise */
  readonly reason: string;
  /** of the Pipeline */
  readonly results: Values;
  /** Sigstore bundle, JSON; undefined where it was refused */
  readonly provenance: Uint8Array | undefined;
  /** of the server, from the call to the sealed provenance */
  readonly provenanceUs: number;
  /** why there is no provenance */
  readonly refused: Problem | undefined;
  /** everything that the agent refused, and artifacts that changed */
  readonly problems: readonly Problem[];
}

/** Tasks of a Pipeline that run at once, where nothing orders them. */
const WIDTH = 4;
/** Tekton's default-timeout-minutes, for the whole of a PipelineRun. */
const DEFAULT_TIMEOUT = 60 * 60_000;

/**
 * Plans, runs and finishes a run. A step or task that fails is an outcome. Throws what planning throws before anything
 * ran; the agent's and the server's errors; RUNNER_*; and the signal's reason when it was aborted.
 */
export async function executeRun(request: RunRequest, options: RunnerOptions): Promise<RunResult> {
  const { isolation } = options;
  const plan = planRun(readDocuments(request.files), request);
  if (!isolation.isolated) for (const taskRun of plan.taskRuns) assertNoFixedPaths(taskRun, plan.params);
  options.onEvent({ kind: 'planned', plan, isolation, notes: plan.notes });
  const { runUid, taskRuns } = await options.admin.createRun({
    documents: request.files.map(({ name, yaml }) => ({ name, yaml })),
    params: Object.fromEntries(Object.entries(request.params).map(([name, value]) => [name, JSON.stringify(value)])),
    workspaces: request.workspaces,
    isolation: isolation.isolated ? 'isolated' : 'unisolated',
    entry: request.entry,
  });
  const uids = new Map(taskRuns.map(({ pipelineTask, uid }) => [pipelineTask, uid]));
  if (uids.size !== plan.taskRuns.length || plan.taskRuns.some(({ pipelineTask }) => !uids.has(pipelineTask))) {
    throw new StepsealError('PROVENANCE_DISAGREEMENT', 'server and runner made different tasks of the same documents', {
      expected: plan.taskRuns.map(nameOf).join(', '),
      found: [...uids.keys()].join(', '),
    });
  }
  options.onEvent({ kind: 'created', runUid, taskRuns: taskRuns.map(({ uid, pipelineTask }) => ({ uid, pipelineTask })) });
  // orphans of a step without namespaces come to this process, so that they can be found
  if (!isolation.isolated) native?.setSubreaper(true);
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(realpathSync(options.folder), 'run-'));
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const run: RunContext = { options: { ...options, signal }, plan, runUid, hidden: holdHidden(options.hide), problems: [] };
  const started = options.clock.now();
  try {
    const finished = await runAll(run, folder, uids, () => stop.abort());
    return await finish(run, finished, started);
  } catch (error) {
    // a step that was ended in the middle of a call makes the call fail: that is not why
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    removeAll(folder);
  }
}

async function runAll(run: RunContext, folder: string, uids: ReadonlyMap<string, string>, abort: () => void): Promise<ReadonlyMap<TaskRunPlan, FinishedTask>> {
  const { plan, options } = run;
  const begun = performance.now();
  const whole = begun + timeoutOf(plan.timeouts.pipeline, plan.kind === 'PipelineRun' ? DEFAULT_TIMEOUT : Infinity);
  const ended = new Map<TaskRunPlan, FinishedTask>();
  const one = (deadline: number) => async (taskRun: TaskRunPlan): Promise<FinishedTask> => {
    options.signal?.throwIfAborted();
    const uid = uids.get(taskRun.pipelineTask)!;
    const resolution = resolveTaskRun(plan, taskRun, { runUid: run.runUid, tasks: statesOf(ended) });
    const finished = resolution.run
      ? await runTask(run, folder, taskRun, uid, resolution, deadline)
      : skipTask(run, taskRun, uid, resolution.failed ? 'failed' : 'skipped', resolution.reason);
    ended.set(taskRun, finished);
    return finished;
  };
  const skip = (reason: string) => (taskRun: TaskRunPlan): FinishedTask => {
    const finished = skipTask(run, taskRun, uids.get(taskRun.pipelineTask)!, 'skipped', reason);
    ended.set(taskRun, finished);
    return finished;
  };
  const width = options.isolation.isolated ? WIDTH : 1;
  const tasksEnd = Math.min(whole, begun + timeoutOf(plan.timeouts.tasks, Infinity));
  const main = plan.taskRuns.filter((taskRun) => !taskRun.finally);
  await schedule(main, width, one(tasksEnd), skip('PipelineRun was stopping'), (so) => so.some(([task, { ended: state }]) => fails(task, state)), abort);
  const last = Math.min(whole, performance.now() + timeoutOf(plan.timeouts.finally, Infinity));
  await schedule(plan.taskRuns.filter((taskRun) => taskRun.finally), width, one(last), skip('PipelineRun was stopping'), () => false, abort);
  return ended;
}

/** pipelines.md, "Using the onError field": a failure that is ignored fails nothing else. */
function fails(task: TaskRunPlan, state: EndedTask): boolean {
  return state.status === 'Failed' && task.onError === 'stopAndFail';
}

function timeoutOf(ms: number | undefined, otherwise: number): number {
  return ms === undefined ? otherwise : ms === 0 ? Infinity : ms;
}

function statesOf(ended: ReadonlyMap<TaskRunPlan, FinishedTask>): Record<string, EndedTask> {
  return Object.fromEntries(Array.from(ended, ([{ pipelineTask }, { ended: state }]) => [pipelineTask, state]));
}

async function finish(run: RunContext, ended: ReadonlyMap<TaskRunPlan, FinishedTask>, started: number): Promise<RunResult> {
  const { options, plan, runUid, problems } = run;
  const failed = Array.from(ended).filter(([task, { ended: state }]) => fails(task, state));
  const outcome = failed.length === 0 ? 'succeeded' : 'failed';
  const reason = failed.map(([task, { ended: state }]) => `${nameOf(task)}: ${state.reason}`).join(', ');
  const results = pipelineResults(plan, { runUid, tasks: statesOf(ended) });
  options.onEvent({ kind: 'ended', outcome, reason, results });
  options.signal?.throwIfAborted();
  // what the agent refused and what changed since is not the server's to know: such a run is not one that succeeded
  const seen: Outcome = problems.length === 0 ? outcome : 'failed';
  const view: RunnerView = {
    runUid,
    isolation: options.isolation.isolated ? 'isolated' : 'unisolated',
    started,
    finished: Math.max(started, options.clock.now()),
    outcome: seen,
    taskRuns: plan.taskRuns.map((taskRun) => ended.get(taskRun)!.view),
  };
  const base = { runUid, outcome, reason, results, problems } as const;
  try {
    const { provenanceBundle, elapsedUs } = await options.admin.finishRun({ runUid, view: encodeRunnerView(view) });
    return { ...base, provenance: provenanceBundle, provenanceUs: Number(elapsedUs), refused: undefined };
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return { ...base, provenance: undefined, provenanceUs: 0, refused: problems[0] ?? { code: error.code, message: error.message } };
  }
}

function nameOf(taskRun: TaskRunPlan): string {
  return taskRun.pipelineTask || taskRun.task || 'task';
}
