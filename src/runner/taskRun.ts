import { createHash } from 'node:crypto';
import { createReadStream, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { sha256 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import type { Outcome, ViewedResult, ViewedStep, ViewedTaskRun } from '../provenance/run.ts';
import { assertNoFixedPaths } from '../task/check.ts';
import { isolatedLayout } from '../task/layout.ts';
import type { EndedTask } from '../task/pipelineScope.ts';
import type { Resolution } from '../task/resolve.ts';
import { taskResults } from '../task/results.ts';
import type { TaskRunPlan } from '../task/runPlan.ts';
import type { RunContext, TaskContext } from './context.ts';
import { makeTaskFolders, plainLayout } from './folders.ts';
import { runStep, skipStep, texts } from './step.ts';

/** Tekton's default-timeout-minutes. */
const DEFAULT_TIMEOUT = 60 * 60_000;

export interface FinishedTask {
  readonly view: ViewedTaskRun;
  readonly ended: EndedTask;
}

/** Runs the steps one after the other, as Tekton does: after one that fails the rest is skipped. `deadline` by performance.now. Throws as runStep. */
export async function runTask(
  run: RunContext,
  folder: string,
  taskRun: TaskRunPlan,
  uid: string,
  resolution: Resolution & { readonly run: true },
  deadline: number,
): Promise<FinishedTask> {
  const { onEvent, isolation, signal } = run.options;
  if (!isolation.isolated) assertNoFixedPaths(taskRun, resolution.params);
  const folders = makeTaskFolders(folder, taskRun, resolution.workspaces, run.hidden.map(({ path }) => path));
  const layout = isolation.isolated ? isolatedLayout(taskRun, resolution.workspaces.map(({ name }) => name)) : plainLayout(folders);
  const own = taskRun.timeoutMs === 0 ? Infinity : performance.now() + (taskRun.timeoutMs ?? DEFAULT_TIMEOUT);
  const task: TaskContext = { run, taskRun, uid, params: resolution.params, folders, layout, deadline: Math.min(deadline, own), results: {}, stepResults: {} };
  onEvent({ kind: 'task-started', pipelineTask: taskRun.pipelineTask, task: taskRun.task, uid, params: resolution.params });
  const steps: ViewedStep[] = [];
  let reason = '';
  for (const step of taskRun.spec.steps) {
    signal?.throwIfAborted();
    if (reason === '' && performance.now() >= task.deadline) reason = 'TaskRunTimeout';
    if (reason !== '') {
      steps.push(skipStep(task, step, reason === 'TaskRunTimeout' ? 'the task took too long' : 'an earlier step failed'));
      continue;
    }
    const { view, timedOut } = await runStep(task, step);
    steps.push(view);
    if (timedOut && performance.now() >= task.deadline) reason = 'TaskRunTimeout';
    // a step's own timeout fails the task whatever onError says (tasks.md, "Specifying a timeout")
    else if (view.outcome === 'failed' && (timedOut || step.onError === 'stopAndFail')) reason = 'Failed';
  }
  const outcome: Outcome = reason === '' ? 'succeeded' : 'failed';
  if (reason === 'Failed' && taskRun.onError === 'continue') reason = 'FailureIgnored';
  const results = taskResults(taskRun, texts(task.results), task.stepResults);
  onEvent({ kind: 'task-ended', pipelineTask: taskRun.pipelineTask, outcome, reason, results });
  return {
    view: { uid, pipelineTask: taskRun.pipelineTask, outcome, reason, steps, results: await viewResults(task) },
    ended: { status: outcome === 'succeeded' ? 'Succeeded' : 'Failed', reason, results },
  };
}

/** A task that never started: every step of it skipped. */
export function skipTask(run: RunContext, taskRun: TaskRunPlan, uid: string, outcome: 'skipped' | 'failed', reason: string): FinishedTask {
  const steps = taskRun.spec.steps.map((step) => skipStep({ run, taskRun }, step, reason));
  run.options.onEvent({ kind: 'task-ended', pipelineTask: taskRun.pipelineTask, outcome, reason, results: {} });
  return {
    view: { uid, pipelineTask: taskRun.pipelineTask, outcome, reason, steps, results: [] },
    ended: { status: outcome === 'skipped' ? 'None' : 'Failed', reason, results: {} },
  };
}

/** Results that are files: what was handed on as the agent observed it, the rest by its digest now. */
async function viewResults({ taskRun, results, folders }: TaskContext): Promise<ViewedResult[]> {
  const views: ViewedResult[] = [];
  for (const { name, type, value } of taskRun.spec.results) {
    if (value !== undefined) continue;
    const content = results[name];
    const digest = content === undefined ? await digestOf(join(folders.tekton, 'results', name)) : toHex(sha256(content));
    if (digest !== undefined) views.push({ name, type, sha256: digest });
  }
  return views;
}

async function digestOf(path: string): Promise<string | undefined> {
  // no step runs any more, so what is a file stays one
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
