import { StepsealError } from '../base/errors.ts';
import { expand, expandEnv } from './expand.ts';
import { type Layout, stepFiles } from './layout.ts';
import type { EnvVar, OnError, StepSpec } from './model.ts';
import type { RunPlan, TaskRunPlan } from './runPlan.ts';
import { runName, taskRunName } from './names.ts';
import { taskLookup, type TaskScope } from './taskScope.ts';
import { parseResult, type Values } from './value.ts';
import { type Lookup, substitute, substituteList } from './variables.ts';
import { whenHolds } from './when.ts';

/** Exactly what will be executed, as plain JSON; server and runner make it from the same arguments and compare digests. */
export interface RenderedStep {
  readonly step: string;
  readonly index: number;
  /** as declared, variables replaced; nothing is pulled or run from it */
  readonly image: string;
  readonly argv: readonly string[];
  /** content of the file that argv[0] names; absent where `command` is used */
  readonly script?: string;
  /** declared variables only; PATH, HOME and the sockets come from the runner */
  readonly env: readonly EnvVar[];
  readonly workingDir: string;
  readonly timeoutMs?: number;
  readonly onError: OnError;
}

export interface StepContext {
  readonly runUid: string;
  readonly taskRunUid: string;
  /** of the Task, complete, as `resolveTaskRun` gives them */
  readonly params: Values;
  readonly layout: Layout;
  /** step → result → content as observed */
  readonly stepResults: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const PREAMBLE = '#!/bin/sh\nset -e\n';

/**
 * A step with every variable replaced; depends on its arguments only.
 * Throws TASK_VARIABLE_UNKNOWN, TASK_VARIABLE_TYPE, TASK_RESULT_MISSING, TASK_RESULT_INVALID, TASK_INVALID (a NUL).
 */
export function renderStep(plan: RunPlan, taskRun: TaskRunPlan, step: StepSpec, context: StepContext): RenderedStep {
  return renderIn(scopeOf(plan, taskRun, context), step, place(taskRun, step));
}

/** False where `when` says that the step is to be skipped. Throws as `renderStep`. */
export function stepRuns(plan: RunPlan, taskRun: TaskRunPlan, step: StepSpec, context: StepContext): boolean {
  return whenHolds(step.when, taskLookup(scopeOf(plan, taskRun, context), step, false), `${place(taskRun, step)}.when`);
}

export function renderIn(scope: TaskScope, step: StepSpec, where: string): RenderedStep {
  const lookup = taskLookup(scope, step, false);
  const env = expandEnv(step.env.map(({ name, value }) => ({ name, value: substitute(value, lookup, `${where}.env[${name}]`) })));
  const known = new Map(env.map(({ name, value }) => [name, value]));
  const args = substituteList(step.args, lookup, `${where}.args`);
  const command = substituteList(step.command, lookup, `${where}.command`);
  const rendered = {
    step: step.name,
    index: step.index,
    image: substitute(step.image, lookup, `${where}.image`),
    argv: [...command, ...args].map((item) => expand(item, known)),
    env,
    workingDir: workingDir(step, scope.layout, lookup, where),
    ...(step.timeoutMs === undefined ? {} : { timeoutMs: step.timeoutMs }),
    onError: step.onError,
  };
  if (step.script === undefined) return withoutNul(rendered, where);
  const body = substitute(step.script, taskLookup(scope, step, true), `${where}.script`);
  return withoutNul(
    {
      ...rendered,
      argv: [stepFiles(scope.layout, step).script, ...rendered.argv],
      // tasks.md, "Running scripts within Steps"
      script: body.trimStart().startsWith('#!') ? body.trimStart() : PREAMBLE + body,
    },
    where,
  );
}

function workingDir(step: StepSpec, layout: Layout, lookup: Lookup, where: string): string {
  const directory = substitute(step.workingDir ?? '', lookup, `${where}.workingDir`);
  if (directory.startsWith('/')) return directory;
  return directory === '' ? layout.workspace : `${layout.workspace}/${directory}`;
}

function scopeOf(plan: RunPlan, taskRun: TaskRunPlan, context: StepContext): TaskScope {
  return {
    spec: taskRun.spec,
    params: context.params,
    layout: context.layout,
    task: taskRun.task,
    taskRun: { name: taskRunName(plan, taskRun, context.runUid), uid: context.taskRunUid, namespace: plan.namespace },
    ...(taskRun.embedded ? { pipeline: { name: plan.pipeline, run: { name: runName(plan, context.runUid), uid: context.runUid, namespace: plan.namespace } } } : {}),
    stepResult: (step, name) => {
      const content = context.stepResults[step.name]?.[name];
      if (content === undefined) throw new StepsealError('TASK_RESULT_MISSING', `step ${step.name} did not write its result ${name}, or it is too large to be passed on`);
      return parseResult(name, content, step.results.find((declared) => declared.name === name)!.type);
    },
  };
}

function withoutNul(rendered: RenderedStep, where: string): RenderedStep {
  const texts = [...rendered.argv, rendered.script ?? '', rendered.workingDir, ...rendered.env.map(({ value }) => value)];
  if (texts.some((text) => text.includes('\0'))) throw new StepsealError('TASK_INVALID', `${where} has a NUL character, which no program can be given`);
  return rendered;
}

function place(taskRun: TaskRunPlan, step: StepSpec): string {
  return `${taskRun.pipelineTask === '' ? '' : `task ${taskRun.pipelineTask}: `}step ${step.name}`;
}
