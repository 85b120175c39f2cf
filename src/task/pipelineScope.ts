import { StepsealError } from '../base/errors.ts';
import { runName } from './names.ts';
import { paramValue, pending, PENDING } from './params.ts';
import type { RunPlan, TaskRunPlan } from './runPlan.ts';
import { parseResult, type Value, type Values } from './value.ts';
import { type Lookup, type Reference, select } from './variables.ts';

export type TaskStatus = 'Succeeded' | 'Failed' | 'None';

/** How far a run has come; everything that the rest of it depends on. */
export interface RunState {
  readonly runUid: string;
  /** tasks that have ended or were skipped, by their name in the Pipeline */
  readonly tasks: Readonly<Record<string, EndedTask>>;
}

export interface EndedTask {
  readonly status: TaskStatus;
  /** `$(tasks.t.reason)` where it has not succeeded */
  readonly reason: string;
  /** result → content as observed */
  readonly results: Readonly<Record<string, string>>;
}

/** Variables of a Pipeline's own fields (Tekton: variables.md, "Variables available in a Pipeline"). */
interface PipelineScope {
  readonly params: Values;
  readonly pipeline: string;
  readonly run: { readonly name: string; readonly uid: string; readonly namespace: string };
  readonly bound: (workspace: string) => boolean | undefined;
  readonly result: (task: string, result: string) => Value | undefined;
  /** undefined where nothing may ask for it */
  readonly status: (task: string | undefined, what: 'status' | 'reason') => string | undefined;
}

function pipelineLookup(scope: PipelineScope): Lookup {
  return (reference) => {
    const [root, ...keys] = reference.path;
    if (root === 'params') return paramValue(scope.params, keys, reference.index);
    if (root === 'tasks') return taskValue(scope, reference);
    if (keys.length !== 2 || reference.index !== undefined) return undefined;
    const [first, second] = keys as [string, string];
    if (root === 'workspaces') return second === 'bound' ? scope.bound(first)?.toString() : undefined;
    if (root !== 'context') return undefined;
    if (first === 'pipeline') return second === 'name' ? scope.pipeline : undefined;
    if (first === 'pipelineTask') return second === 'retries' ? '0' : undefined;
    return first === 'pipelineRun' && (second === 'name' || second === 'uid' || second === 'namespace') ? scope.run[second] : undefined;
  };
}

function taskValue(scope: PipelineScope, reference: Reference): Value | undefined {
  const [, task = '', kind, ...keys] = reference.path;
  if (kind === 'results') {
    const [name, ...rest] = keys;
    const value = name === undefined ? undefined : scope.result(task, name);
    return value === undefined ? undefined : select(value, rest, reference.index, false);
  }
  if (keys.length > 0 || reference.index !== undefined) return undefined;
  if (kind === undefined) return task === 'status' ? scope.status(undefined, 'status') : undefined;
  return kind === 'status' || kind === 'reason' ? scope.status(task, kind) : undefined;
}

/** Lookup before the run: types are known, contents of results are not. */
export function plannedLookup(plan: PlanSoFar, tasks: ReadonlyMap<string, TaskRunPlan['spec']>, inFinally: boolean): Lookup {
  return pipelineLookup({
    params: plan.params,
    pipeline: plan.pipeline,
    run: { name: PENDING, uid: PENDING, namespace: plan.namespace },
    bound: (name) => boundIn(plan, name),
    result: (task, name) => {
      const declared = tasks.get(task)?.results.find((result) => result.name === name);
      return declared && pending(declared);
    },
    status: (task) => (inFinally && (task === undefined || tasks.has(task)) ? PENDING : undefined),
  });
}

export type PlanSoFar = Pick<RunPlan, 'params' | 'pipeline' | 'namespace' | 'workspaces' | 'declaredWorkspaces'>;

function boundIn(plan: PlanSoFar, name: string): boolean | undefined {
  return plan.declaredWorkspaces.includes(name) ? Object.hasOwn(plan.workspaces, name) : undefined;
}

/** Lookup while the run goes on. Throws TASK_RESULT_MISSING, TASK_RESULT_INVALID. */
export function runningLookup(plan: RunPlan, state: RunState): Lookup {
  return pipelineLookup({
    params: plan.params,
    pipeline: plan.pipeline,
    run: { name: runName(plan, state.runUid), uid: state.runUid, namespace: plan.namespace },
    bound: (name) => boundIn(plan, name),
    result: (task, name) => {
      const content = state.tasks[task]?.results[name];
      if (content === undefined) throw new StepsealError('TASK_RESULT_MISSING', `task ${task} has no result ${name}, or it is too large to be passed on`);
      const declared = plan.taskRuns.find((taskRun) => taskRun.pipelineTask === task)?.spec.results.find((result) => result.name === name);
      return declared && parseResult(name, content, declared.type);
    },
    status: (task, what) => (task === undefined ? aggregate(plan, state) : statusOf(state.tasks[task], what)),
  });
}

function statusOf(task: EndedTask | undefined, what: 'status' | 'reason'): string {
  if (task === undefined) return 'None';
  return task.status === 'Succeeded' ? 'Succeeded' : task[what];
}

/** `$(tasks.status)`: pipelines.md, "Using Aggregate Execution Status of All Tasks". */
export function aggregate(plan: RunPlan, state: RunState): 'Succeeded' | 'Failed' | 'Completed' | 'None' {
  const ended = plan.taskRuns.filter((taskRun) => !taskRun.finally).map((taskRun) => state.tasks[taskRun.pipelineTask]?.status);
  if (ended.includes('Failed')) return 'Failed';
  if (ended.includes(undefined)) return 'None';
  return ended.includes('None') ? 'Completed' : 'Succeeded';
}
