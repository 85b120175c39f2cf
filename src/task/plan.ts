import { StepsealError } from '../base/errors.ts';
import { bindWorkspaces, findTask } from './bind.ts';
import { checkTask } from './check.ts';
import { taskIdentity } from './identity.ts';
import type { TaskDocument, TaskRunDocument, TektonDocument } from './model.ts';
import { bindParams } from './params.ts';
import { planPipeline } from './planPipeline.ts';
import type { RunPlan, TaskRunPlan } from './runPlan.ts';
import type { Values } from './value.ts';

export interface PlanOptions {
  readonly params: Values;
  /** workspace → absolute directory */
  readonly workspaces: Readonly<Record<string, string>>;
  /** `name` or `Kind/name` where the documents leave a choice; '' for none */
  readonly entry?: string;
  /** default `local`; never taken from a document, since it is part of identities */
  readonly namespace?: string;
}

/**
 * What will run, from documents as `readDocuments` gives them: references resolved, order found, every variable
 * checked. Throws TASK_AMBIGUOUS, TASK_REFERENCE_UNRESOLVED, PIPELINE_CYCLE, TASK_PARAM_*, TASK_VARIABLE_*,
 * TASK_WORKSPACE_*, TASK_FIELD_UNSUPPORTED.
 */
export function planRun(documents: readonly TektonDocument[], options: PlanOptions): RunPlan {
  assertNamesUnique(documents);
  const entry = chooseEntry(documents, options.entry ?? '');
  const plan = entry.kind === 'Task' || entry.kind === 'TaskRun' ? planTask(entry, documents, options) : planPipeline(entry, documents, options);
  return { ...plan, notes: documents.flatMap((document) => document.notes) };
}

function assertNamesUnique(documents: readonly TektonDocument[]): void {
  const seen = new Map<string, string>();
  for (const { kind, name, source } of documents) {
    const key = `${kind}/${name}`;
    const other = seen.get(key);
    if (other !== undefined) throw new StepsealError('TASK_INVALID', `${key} stands in ${other} and again in ${source}`);
    seen.set(key, source);
  }
}

/** The one run object; else the one Pipeline; else the one Task. */
function chooseEntry(documents: readonly TektonDocument[], entry: string): TektonDocument {
  const named = (document: TektonDocument): string => `${document.kind}/${document.name}`;
  const wanted = entry === '' ? documents : documents.filter((document) => named(document) === entry || document.name === entry);
  const runs = wanted.filter((document) => document.kind === 'TaskRun' || document.kind === 'PipelineRun');
  const pipelines = wanted.filter((document) => document.kind === 'Pipeline');
  const candidates = runs.length > 0 ? runs : pipelines.length > 0 ? pipelines : wanted;
  if (candidates.length === 1) return candidates[0]!;
  if (candidates.length === 0) {
    throw new StepsealError('TASK_REFERENCE_UNRESOLVED', entry === '' ? 'the files hold nothing to run' : `nothing among the documents is named ${entry}`, {
      expected: documents.map(named).join(', ') || 'a Task, Pipeline, TaskRun or PipelineRun',
    });
  }
  throw new StepsealError('TASK_AMBIGUOUS', 'the documents leave open which one is to run', { expected: `one of ${candidates.map(named).join(', ')}, by name` });
}

function planTask(entry: TaskDocument | TaskRunDocument, documents: readonly TektonDocument[], options: PlanOptions): RunPlan {
  const namespace = options.namespace ?? 'local';
  const run = entry.kind === 'TaskRun' ? entry : undefined;
  const inline = run?.taskSpec !== undefined;
  const task = entry.kind === 'Task' ? entry : inline ? undefined : findTask(documents, run!.taskRef!, run!.source);
  const spec = task?.spec ?? run!.taskSpec!;
  const given: Values = { ...Object.fromEntries(run?.params.map((param) => [param.name, param.value]) ?? []), ...options.params };
  // an inline spec may use the run's parameters without declaring them (Tekton: propagated parameters)
  const declared = inline ? Object.fromEntries(Object.entries(given).filter(([name]) => spec.params.some((param) => param.name === name))) : given;
  const params = { ...(inline ? given : {}), ...bindParams(spec.params, declared, entry.source) };
  const sources = bindWorkspaces(spec.workspaces, run?.workspaces ?? [], options.workspaces, entry.source);
  // a directory that the person gives is meant as it is
  const subPathsOf = (name: string): string[] => {
    const subPath = run?.workspaces.find((binding) => binding.name === name)?.subPath;
    return subPath === undefined || Object.hasOwn(options.workspaces, name) ? [] : [subPath];
  };
  const taskRun: TaskRunPlan = {
    pipelineTask: '',
    task: task?.name ?? '',
    identity: taskIdentity(namespace, task ? { task: task.name } : { inline: spec.digest }),
    spec,
    after: [],
    uses: [],
    finally: false,
    params: [],
    propagated: params,
    embedded: false,
    when: [],
    workspaces: spec.workspaces.map(({ name, mountPath, readOnly }) => ({
      name,
      from: Object.hasOwn(sources, name) ? name : undefined,
      subPaths: subPathsOf(name),
      ...(mountPath === undefined ? {} : { mountPath }),
      readOnly,
    })),
    ...(run?.timeoutMs === undefined ? {} : { timeoutMs: run.timeoutMs }),
    onError: 'stopAndFail',
    path: `${(task ?? entry).source}.spec${inline ? '.taskSpec' : ''}`,
  };
  checkTask(taskRun, params);
  return {
    kind: 'TaskRun',
    namespace,
    name: run ? run.name : `${entry.name}-run-`,
    pipeline: '',
    pipelineDigest: '',
    params,
    results: [],
    workspaces: sources,
    declaredWorkspaces: spec.workspaces.map((workspace) => workspace.name),
    taskRuns: [taskRun],
    timeouts: {},
    notes: [],
  };
}
