import type { Reader } from '../base/read.ts';
import { readDuration } from './duration.ts';
import { fields, label, list, unsupported } from './fields.ts';
import type { Note, PipelineSpec, PipelineTask } from './model.ts';
import { assertUnique, readOnError, readParams, readParamSpecs, readResults, readWhen } from './readCommon.ts';
import { readTaskSpec, specDigest } from './readTask.ts';

const MAX_TASKS = 500;

/** Throws TASK_INVALID, TASK_FIELD_UNSUPPORTED. */
export function readPipelineSpec(reader: Reader, notes: Note[]): PipelineSpec {
  fields(reader, 'pipelineSpec', notes);
  const tasks = list(reader.at('tasks'), (item) => readPipelineTask(item, notes));
  const last = list(reader.at('finally'), (item) => readPipelineTask(item, notes));
  if (tasks.length === 0 || tasks.length + last.length > MAX_TASKS) reader.at('tasks').fail(`1 to ${MAX_TASKS} tasks`);
  assertUnique(reader.at('tasks'), [...tasks, ...last].map((task) => task.name));
  for (const [i, task] of last.entries()) {
    if (task.runAfter.length > 0) reader.at('finally').array()[i]!.at('runAfter').fail('no runAfter in finally, whose tasks all start at the end');
  }
  const workspaces = list(reader.at('workspaces'), (item) => {
    fields(item, 'pipelineWorkspace', notes);
    return { name: label(item.at('name')), optional: item.at('optional').optional((value) => value.boolean()) ?? false };
  });
  assertUnique(reader.at('workspaces'), workspaces.map((workspace) => workspace.name));
  return {
    params: readParamSpecs(reader.at('params'), notes),
    results: readResults(reader.at('results'), 'pipelineResult', notes),
    workspaces,
    tasks,
    finally: last,
    digest: specDigest(reader.value!),
  };
}

function readPipelineTask(reader: Reader, notes: Note[]): PipelineTask {
  fields(reader, 'pipelineTask', notes);
  const taskRef = reader.at('taskRef').optional((value) => readTaskRef(value, notes));
  const taskSpec = reader.at('taskSpec').optional((value) => readTaskSpec(value, 'embeddedTask', notes));
  if ((taskRef === undefined) === (taskSpec === undefined)) reader.at('taskRef').fail('exactly one of taskRef and taskSpec');
  const timeoutMs = reader.at('timeout').optional(readDuration);
  const workspaces = list(reader.at('workspaces'), (item) => {
    fields(item, 'pipelineTaskWorkspace', notes);
    const name = label(item.at('name'));
    const subPath = item.at('subPath').optional((value) => value.string());
    return { name, workspace: item.at('workspace').optional(label) ?? name, ...(subPath ? { subPath } : {}) };
  });
  assertUnique(reader.at('workspaces'), workspaces.map((workspace) => workspace.name));
  return {
    name: label(reader.at('name')),
    ...(taskRef === undefined ? {} : { taskRef }),
    ...(taskSpec === undefined ? {} : { taskSpec }),
    runAfter: list(reader.at('runAfter'), label),
    params: readParams(reader.at('params'), notes),
    workspaces,
    when: readWhen(reader.at('when'), notes),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    onError: readOnError(reader.at('onError')),
    path: reader.path,
  };
}

/** Only a Task object among the documents: a resolver or a custom task has no place to come from. */
export function readTaskRef(reader: Reader, notes: Note[]): string {
  fields(reader, 'taskRef', notes);
  const kind = reader.at('kind').optional((value) => value.string()) ?? 'Task';
  if (kind !== 'Task') throw unsupported(reader.at('kind').path, 'Task');
  readRefVersion(reader);
  return reader.at('name').string('the name of a Task among the documents', /./);
}

export function readRefVersion(reader: Reader): void {
  const version = reader.at('apiVersion').optional((value) => value.string()) ?? '';
  if (version !== '' && version !== 'tekton.dev/v1') throw unsupported(reader.at('apiVersion').path, 'tekton.dev/v1');
}
