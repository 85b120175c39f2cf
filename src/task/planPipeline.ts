import { StepsealError } from '../base/errors.ts';
import { bindWorkspaces, findTask } from './bind.ts';
import { checkTask } from './check.ts';
import { order } from './graph.ts';
import { taskIdentity } from './identity.ts';
import type { PipelineDocument, PipelineRunDocument, PipelineSpec, PipelineTask, TektonDocument } from './model.ts';
import { bindParams } from './params.ts';
import { plannedLookup, type PlanSoFar } from './pipelineScope.ts';
import type { PlanOptions } from './plan.ts';
import type { RunPlan, TaskRunPlan, WorkspaceUse } from './runPlan.ts';
import type { Value, Values } from './value.ts';
import { type Lookup, references, substitute, substituteValue } from './variables.ts';
import { whenHolds } from './when.ts';

/** `planRun` for a Pipeline or PipelineRun; throws the same codes. */
export function planPipeline(entry: PipelineDocument | PipelineRunDocument, documents: readonly TektonDocument[], options: PlanOptions): RunPlan {
  const run = entry.kind === 'PipelineRun' ? entry : undefined;
  const pipeline = entry.kind === 'Pipeline' ? entry : run!.pipelineRef === undefined ? undefined : findPipeline(documents, run!);
  const spec = pipeline?.spec ?? run!.pipelineSpec!;
  const place = `${(pipeline ?? entry).source}.spec${pipeline ? '' : '.pipelineSpec'}`;
  const given: Values = { ...Object.fromEntries(run?.params.map((param) => [param.name, param.value]) ?? []), ...options.params };
  const params = bindRunParams(spec, given, place, pipeline === undefined);
  const plan: PlanSoFar = {
    namespace: options.namespace ?? 'local',
    pipeline: pipeline?.name ?? '',
    params,
    workspaces: bindWorkspaces(spec.workspaces, run?.workspaces ?? [], options.workspaces, place),
    declaredWorkspaces: spec.workspaces.map((workspace) => workspace.name),
  };
  // a directory that the person gives is meant as it is
  const bound = (run?.workspaces ?? []).filter(({ name }) => !Object.hasOwn(options.workspaces, name));
  const subPaths = new Map(bound.flatMap(({ name, subPath }) => (subPath === undefined ? [] : [[name, subPath] as const])));
  const resolve = (task: PipelineTask, last: boolean): TaskRunPlan => planOne(task, last, plan, spec, documents, subPaths);
  const tasks = new Map(spec.tasks.map((task) => [task.name, resolve(task, false)]));
  const sorted = order(new Map(Array.from(tasks, ([name, task]) => [name, task.after])), `${place}.tasks`).map((name) => tasks.get(name)!);
  const last = spec.finally.map((task) => resolve(task, true));
  const specs = new Map(sorted.map((task) => [task.pipelineTask, task.spec]));
  for (const task of [...sorted, ...last]) checkPipelineTask(task, plannedLookup(plan, specs, task.finally));
  checkResults(spec, plan, new Map([...sorted, ...last].map((task) => [task.pipelineTask, task.spec])), place);
  return {
    ...plan,
    kind: 'PipelineRun',
    name: run ? run.name : `${entry.name}-run-`,
    pipelineDigest: spec.digest,
    results: spec.results,
    taskRuns: [...sorted, ...last],
    timeouts: run?.timeouts ?? {},
    notes: [],
  };
}

/** An inline Pipeline's tasks may use the run's parameters without a declaration. */
function bindRunParams(spec: PipelineSpec, given: Values, place: string, inline: boolean): Values {
  if (!inline) return bindParams(spec.params, given, place);
  const declared = Object.fromEntries(Object.entries(given).filter(([name]) => spec.params.some((param) => param.name === name)));
  return { ...given, ...bindParams(spec.params, declared, place) };
}

function findPipeline(documents: readonly TektonDocument[], run: PipelineRunDocument): PipelineDocument {
  const found = documents.find((document): document is PipelineDocument => document.kind === 'Pipeline' && document.name === run.pipelineRef);
  if (found) return found;
  throw new StepsealError('TASK_REFERENCE_UNRESOLVED', `${run.source}.spec.pipelineRef: no Pipeline of this name is among the documents`, { found: run.pipelineRef! });
}

function planOne(
  task: PipelineTask,
  last: boolean,
  plan: PlanSoFar,
  pipeline: PipelineSpec,
  documents: readonly TektonDocument[],
  subPaths: ReadonlyMap<string, string>,
): TaskRunPlan {
  const known = plannedLookup(plan, new Map(), false);
  const reference = task.taskRef === undefined ? undefined : substitute(task.taskRef, known, `${task.path}.taskRef.name`);
  const object = reference === undefined ? undefined : findTask(documents, reference, `${task.path}.taskRef`);
  const spec = object?.spec ?? task.taskSpec!;
  const uses = usedTasks(task);
  const names = pipeline.tasks.map((other) => other.name);
  for (const name of [...task.runAfter, ...uses]) {
    if (names.includes(name)) continue;
    throw new StepsealError('TASK_REFERENCE_UNRESOLVED', `${task.path} waits for a task that the pipeline does not have`, { expected: names.join(', '), found: name });
  }
  const owner = plan.pipeline === '' ? { inline: pipeline.digest, pipelineTask: task.name } : { pipeline: plan.pipeline, pipelineTask: task.name };
  return {
    pipelineTask: task.name,
    task: object?.name ?? '',
    identity: taskIdentity(plan.namespace, owner),
    spec,
    // finally tasks all start when everything else has ended
    after: last ? [] : [...new Set([...task.runAfter, ...uses])],
    uses,
    finally: last,
    params: task.params,
    propagated: object ? {} : plan.params,
    embedded: object === undefined,
    when: task.when,
    workspaces: spec.workspaces.map((declared) => useWorkspace(declared, task, plan, object === undefined, subPaths)),
    ...(task.timeoutMs === undefined ? {} : { timeoutMs: task.timeoutMs }),
    onError: task.onError,
    path: task.path,
  };
}

function useWorkspace(
  declared: TaskRunPlan['spec']['workspaces'][number],
  task: PipelineTask,
  plan: PlanSoFar,
  embedded: boolean,
  subPaths: ReadonlyMap<string, string>,
): WorkspaceUse {
  const { name, mountPath, readOnly, optional } = declared;
  const bound = task.workspaces.find((binding) => binding.name === name);
  // an embedded Task has the pipeline's workspace of the same name without a binding (Tekton: propagated workspaces)
  const workspace = bound?.workspace ?? (embedded && plan.declaredWorkspaces.includes(name) ? name : undefined);
  if (workspace !== undefined && !plan.declaredWorkspaces.includes(workspace)) {
    throw new StepsealError('TASK_WORKSPACE_INVALID', `${task.path}: the pipeline declares no workspace of this name`, {
      expected: plan.declaredWorkspaces.join(', ') || 'none',
      found: workspace,
    });
  }
  const from = workspace !== undefined && Object.hasOwn(plan.workspaces, workspace) ? workspace : undefined;
  if (from === undefined && !optional) throw new StepsealError('TASK_WORKSPACE_MISSING', `${task.path}: workspace ${name} of the Task has no source`);
  const parts = [workspace === undefined ? undefined : subPaths.get(workspace), bound?.subPath].filter((part) => part !== undefined);
  return { name, from, subPaths: parts, ...(mountPath === undefined ? {} : { mountPath }), readOnly };
}

/** Tasks whose results the fields of a pipeline task name: they come before it. */
function usedTasks(task: PipelineTask): string[] {
  const texts = [
    ...task.params.flatMap((param) => textsOf(param.value)),
    ...task.when.flatMap((expression) => [expression.input, ...expression.values]),
    ...task.workspaces.flatMap((workspace) => (workspace.subPath === undefined ? [] : [workspace.subPath])),
  ];
  const found = texts.flatMap((text) => references(text, task.path)).filter(({ path }) => path[0] === 'tasks' && path[2] === 'results');
  return [...new Set(found.map(({ path }) => path[1]!))];
}

function textsOf(value: Value): readonly string[] {
  return typeof value === 'string' ? [value] : Object.values(value);
}

/** Types of parameters and every variable, with what is known before the run. */
function checkPipelineTask(task: TaskRunPlan, lookup: Lookup): void {
  const { path } = task;
  const given = Object.fromEntries(task.params.map((param) => [param.name, substituteValue(param.value, lookup, `${path}.params[${param.name}]`)]));
  whenHolds(task.when, lookup, `${path}.when`);
  for (const { subPaths, name } of task.workspaces) for (const subPath of subPaths) substitute(subPath, lookup, `${path}.workspaces[${name}].subPath`);
  checkTask(task, { ...task.propagated, ...bindParams(task.spec.params, given, path) });
}

function checkResults(spec: PipelineSpec, plan: PlanSoFar, tasks: ReadonlyMap<string, TaskRunPlan['spec']>, place: string): void {
  const lookup = plannedLookup(plan, tasks, false);
  for (const { name, value } of spec.results) {
    const both: Lookup = (reference) => lookup(reference.path[0] === 'finally' ? { ...reference, path: ['tasks', ...reference.path.slice(1)] } : reference);
    substituteValue(value!, both, `${place}.results[${name}]`);
  }
}
