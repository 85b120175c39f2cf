import type { RunPlan, TaskRunPlan } from './runPlan.ts';

/** `context.pipelineRun.name`, or of a single Task's run: a generated name ends in the first five characters of the run's UID. */
export function runName(plan: { readonly name: string }, runUid: string): string {
  return plan.name.endsWith('-') ? plan.name + runUid.slice(0, 5) : plan.name;
}

/** `context.taskRun.name`. */
export function taskRunName(plan: RunPlan, taskRun: TaskRunPlan, runUid: string): string {
  const name = runName(plan, runUid);
  return taskRun.pipelineTask === '' ? name : `${name}-${taskRun.pipelineTask}`;
}
