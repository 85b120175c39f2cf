import type { Outcome, ViewedResult, ViewedStep, ViewedTaskRun } from '../provenance/run.ts';
import { assertNoFixedPaths } from '../task/check.ts';
import { isolatedLayout } from '../task/layout.ts';
import type { EndedTask } from '../task/pipelineScope.ts';
import type { Resolution } from '../task/resolve.ts';
import { taskResults } from '../task/results.ts';
import type { TaskRunPlan } from '../task/runPlan.ts';
import type { RunContext, TaskContext } from './context.ts';
import { makeTaskFolders, plainLayout } from './folders.ts';
import { runStep, skipStep } from './step.ts';

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
  const task: TaskContext = { run, taskRun, uid, params: resolution.params, folders, layout, deadline: Math.min(deadline, own), results: {}, digests: {}, stepResults: {} };
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
  const results = taskResults(taskRun, task.results, task.stepResults);
  onEvent({ kind: 'task-ended', pipelineTask: taskRun.pipelineTask, outcome, reason, results });
  return {
    view: { uid, pipelineTask: taskRun.pipelineTask, outcome, reason, steps, results: viewResults(task) },
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

/** Results that are files, by what the agent saw of them; those made of step results are in no step's claim. */
function viewResults({ taskRun, digests }: TaskContext): ViewedResult[] {
  return taskRun.spec.results.flatMap(({ name, type, value }) => {
    const digest = digests[name];
    return value === undefined && digest !== undefined ? [{ name, type, sha256: digest }] : [];
  });
}
