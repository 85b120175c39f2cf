import { StepsealError } from '../base/errors.ts';
import { isolatedLayout } from './layout.ts';
import { pending } from './params.ts';
import { renderIn } from './render.ts';
import type { TaskRunPlan } from './runPlan.ts';
import { taskLookup, type TaskScope } from './taskScope.ts';
import type { Values } from './value.ts';
import { references, substituteValue, unknown } from './variables.ts';
import { whenHolds } from './when.ts';

/**
 * Renders every step for nothing, so that a wrong variable is known before anything runs. `params` may be pending.
 * Throws TASK_VARIABLE_UNKNOWN, TASK_VARIABLE_TYPE, TASK_INVALID.
 */
export function checkTask(taskRun: TaskRunPlan, params: Values): void {
  const { spec } = taskRun;
  const scope: TaskScope = {
    spec,
    params,
    layout: isolatedLayout(taskRun, spec.workspaces.map((workspace) => workspace.name)),
    taskRun: { name: '', uid: '', namespace: '' },
    ...(taskRun.embedded ? { pipeline: { name: '', run: { name: '', uid: '', namespace: '' } } } : {}),
    task: taskRun.task,
    stepResult: (step, name) => pending(step.results.find((declared) => declared.name === name)!),
  };
  for (const step of spec.steps) {
    const place = `${taskRun.path}.steps[${step.index}]`;
    renderIn(scope, step, place);
    whenHolds(step.when, taskLookup(scope, step, false), `${place}.when`);
  }
  for (const result of spec.results) {
    if (result.value === undefined) continue;
    const place = `${taskRun.path}.results[${result.name}].value`;
    // all steps have ended by then
    const last = { ...spec.steps.at(-1)!, index: spec.steps.length };
    const lookup = taskLookup(scope, last, false);
    substituteValue(result.value, (reference) => (reference.path[0] === 'steps' ? lookup(reference) : undefined), place);
    if (typeof result.value === 'string' && references(result.value, place).length === 0) throw unknown(result.value, place, 'the value is to be made of step results');
  }
}

/** `/tekton` or `/workspace` as a path of its own, not as a part of another one. */
const LITERAL = /(?<![\w.~/)-])\/(?:tekton|workspace)(?![\w.-])/;

/**
 * Where steps have no mount namespace, these paths exist for nobody: only variables may name them.
 * Throws TASK_PATH_UNISOLATED with the place of the first one.
 */
export function assertNoFixedPaths(taskRun: TaskRunPlan, params: Values): void {
  const refuse = (place: string, text: string): void => {
    const match = LITERAL.exec(text);
    if (!match) return;
    throw new StepsealError('TASK_PATH_UNISOLATED', `${place} names ${match[0]}, which a step has only where this machine lets it have its own mounts`, {
      expected: 'a variable such as $(results.name.path) or $(workspaces.name.path)',
    });
  };
  for (const step of taskRun.spec.steps) {
    const place = `${taskRun.path}.steps[${step.index}]`;
    for (const text of [step.script ?? '', ...step.command, ...step.args, step.workingDir ?? '', ...step.env.map((item) => item.value)]) refuse(place, text);
  }
  for (const workspace of taskRun.spec.workspaces) {
    if (workspace.mountPath !== undefined) {
      throw new StepsealError('TASK_PATH_UNISOLATED', `${taskRun.path}: workspace ${workspace.name} has a mountPath, and a step cannot have its own mounts here`);
    }
  }
  for (const [name, value] of Object.entries(params)) {
    for (const text of typeof value === 'string' ? [value] : Object.values(value)) refuse(`parameter ${name}`, text);
  }
}
