import { isStepsealError, StepsealError } from '../base/errors.ts';
import { checkTask } from './check.ts';
import { bindParams } from './params.ts';
import { runningLookup, type RunState } from './pipelineScope.ts';
import type { RunPlan, TaskRunPlan, WorkspaceSource } from './runPlan.ts';
import type { Values } from './value.ts';
import { substitute, substituteValue } from './variables.ts';
import { whenHolds } from './when.ts';

export interface ResolvedWorkspace {
  readonly name: string;
  /** in RunPlan.workspaces */
  readonly from: string;
  readonly source: WorkspaceSource;
  /** below the source, without `..`; '' for the source itself */
  readonly subPath: string;
  readonly mountPath?: string;
  readonly readOnly: boolean;
}

/** What becomes of a task whose turn has come. `reason` is Tekton's name for it. */
export type Resolution =
  | { readonly run: true; readonly params: Values; readonly workspaces: readonly ResolvedWorkspace[] }
  | { readonly run: false; readonly failed: boolean; readonly reason: string; readonly error?: StepsealError };

/**
 * Parameters, workspaces and `when` of a task, now that everything before it has ended.
 * Throws TASK_PARAM_*, TASK_VARIABLE_*, TASK_RESULT_INVALID, TASK_WORKSPACE_INVALID; a missing result is a resolution.
 */
export function resolveTaskRun(plan: RunPlan, taskRun: TaskRunPlan, state: RunState): Resolution {
  const where = taskRun.path;
  const lookup = runningLookup(plan, state);
  // a guarded task leaves those that need its results without them (pipelines.md, "Guarding a Task only")
  if (taskRun.uses.some((name) => state.tasks[name]?.status === 'None')) return { run: false, failed: false, reason: 'Results were missing' };
  try {
    if (!whenHolds(taskRun.when, lookup, `${where}.when`)) return { run: false, failed: false, reason: 'When Expressions evaluated to false' };
    const given = Object.fromEntries(taskRun.params.map((param) => [param.name, substituteValue(param.value, lookup, `${where}.params[${param.name}]`)]));
    const params = plan.kind === 'TaskRun' ? plan.params : { ...taskRun.propagated, ...bindParams(taskRun.spec.params, given, where) };
    checkTask(taskRun, params);
    const workspaces = taskRun.workspaces.flatMap(({ name, from, subPaths, mountPath, readOnly }) => {
      if (from === undefined) return [];
      const subPath = subPaths.map((path) => safeSubPath(substitute(path, lookup, `${where}: workspace ${name}`), name)).filter(Boolean).join('/');
      return [{ name, from, source: plan.workspaces[from]!, subPath, ...(mountPath === undefined ? {} : { mountPath }), readOnly }];
    });
    return { run: true, params, workspaces };
  } catch (error) {
    if (!isStepsealError(error) || error.code !== 'TASK_RESULT_MISSING') throw error;
    // pipelines.md, "Produce results with OnError" and "Consuming Task execution results in finally"
    const failed = !taskRun.finally && taskRun.onError === 'stopAndFail';
    return { run: false, failed, reason: failed ? 'InvalidTaskResultReference' : 'Results were missing', error };
  }
}

function safeSubPath(path: string, workspace: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || path.includes('\0')) {
    throw new StepsealError('TASK_WORKSPACE_INVALID', `the subPath of workspace ${workspace} leaves it`, { expected: 'a path below the workspace', found: path });
  }
  return parts.join('/');
}
