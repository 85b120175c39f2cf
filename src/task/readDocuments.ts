import type { Json } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { readDuration } from './duration.ts';
import { fields, label, list, objectName, only, VOLUMES } from './fields.ts';
import type { Note, PipelineRunDocument, TaskRunDocument, TektonDocument, WorkspaceBinding } from './model.ts';
import { assertUnique, readParams } from './readCommon.ts';
import { readPipelineSpec, readRefVersion, readTaskRef } from './readPipeline.ts';
import { readTaskSpec } from './readTask.ts';
import { parseYaml } from './yaml.ts';

/** A file as the person gave it. */
export interface SourceFile {
  /** for messages */
  readonly name: string;
  readonly yaml: Uint8Array;
}

/**
 * Every document of every file as a typed tekton.dev/v1 object.
 * Throws TASK_INVALID, TASK_LIMIT, TASK_FIELD_UNSUPPORTED, UTF8_INVALID; messages name file, document and field.
 */
export function readDocuments(files: readonly SourceFile[]): TektonDocument[] {
  return files.flatMap((file) => parseYaml(file.yaml, file.name).map((value, i) => readDocument(value, `${file.name}#${i + 1}`)));
}

function readDocument(value: Json, source: string): TektonDocument {
  const reader = new Reader(value, source, 'TASK_INVALID');
  reader.at('apiVersion').string('tekton.dev/v1', /^tekton\.dev\/v1$/);
  const kind = reader.at('kind').string('Task, Pipeline, TaskRun or PipelineRun', /^(?:Task|Pipeline)(?:Run)?$/) as TektonDocument['kind'];
  const notes: Note[] = [];
  fields(reader, 'object', notes);
  const name = readName(reader.at('metadata'), kind, notes);
  const spec = reader.at('spec');
  switch (kind) {
    case 'Task':
      return { kind, source, name, notes, spec: readTaskSpec(spec, 'taskSpec', notes) };
    case 'Pipeline':
      return { kind, source, name, notes, spec: readPipelineSpec(spec, notes) };
    case 'TaskRun':
      return { kind, source, name, notes, ...readTaskRun(spec, notes) };
    case 'PipelineRun':
      return { kind, source, name, notes, ...readPipelineRun(spec, notes) };
  }
}

function readName(reader: Reader, kind: TektonDocument['kind'], notes: Note[]): string {
  fields(reader, 'metadata', notes);
  const name = reader.at('name').optional(objectName);
  if (name !== undefined) return name;
  // the name of a Task or Pipeline is part of an identity; a run may have a generated one
  if (!kind.endsWith('Run')) reader.at('name').fail('a name');
  return reader.at('generateName').string('a name, or a prefix for one that ends in -', /^[a-z0-9][-a-z0-9.]{0,240}-$/);
}

function readTaskRun(reader: Reader, notes: Note[]): Omit<TaskRunDocument, 'kind' | 'source' | 'name' | 'notes'> {
  fields(reader, 'taskRunSpec', notes);
  const taskRef = reader.at('taskRef').optional((value) => readTaskRef(value, notes));
  const taskSpec = reader.at('taskSpec').optional((value) => readTaskSpec(value, 'taskSpec', notes));
  if ((taskRef === undefined) === (taskSpec === undefined)) reader.at('taskRef').fail('exactly one of taskRef and taskSpec');
  const timeoutMs = reader.at('timeout').optional(readDuration);
  return {
    ...(taskRef === undefined ? {} : { taskRef }),
    ...(taskSpec === undefined ? {} : { taskSpec }),
    params: readParams(reader.at('params'), notes),
    workspaces: readBindings(reader.at('workspaces'), notes),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function readPipelineRun(reader: Reader, notes: Note[]): Omit<PipelineRunDocument, 'kind' | 'source' | 'name' | 'notes'> {
  fields(reader, 'pipelineRunSpec', notes);
  const pipelineRef = reader.at('pipelineRef').optional((value) => {
    fields(value, 'pipelineRef', notes);
    readRefVersion(value);
    return objectName(value.at('name'));
  });
  const pipelineSpec = reader.at('pipelineSpec').optional((value) => readPipelineSpec(value, notes));
  if ((pipelineRef === undefined) === (pipelineSpec === undefined)) reader.at('pipelineRef').fail('exactly one of pipelineRef and pipelineSpec');
  const timeouts: { pipeline?: number; tasks?: number; finally?: number } = {};
  reader.at('timeouts').optional((value) => {
    fields(value, 'timeouts', notes);
    for (const name of ['pipeline', 'tasks', 'finally'] as const) {
      const ms = value.at(name).optional(readDuration);
      if (ms !== undefined) timeouts[name] = ms;
    }
  });
  return {
    ...(pipelineRef === undefined ? {} : { pipelineRef }),
    ...(pipelineSpec === undefined ? {} : { pipelineSpec }),
    params: readParams(reader.at('params'), notes),
    workspaces: readBindings(reader.at('workspaces'), notes),
    timeouts,
  };
}

function readBindings(reader: Reader, notes: Note[]): WorkspaceBinding[] {
  const bindings = list(reader, (item) => {
    only(item, ['name', 'subPath', 'emptyDir'], VOLUMES, notes);
    const volume = VOLUMES.find((name) => item.at(name).present);
    const subPath = item.at('subPath').optional((value) => value.string());
    return {
      name: label(item.at('name')),
      ...(subPath ? { subPath } : {}),
      emptyDir: item.at('emptyDir').present,
      ...(volume === undefined ? {} : { volume: item.at(volume).path }),
    };
  });
  assertUnique(reader, bindings.map((binding) => binding.name));
  return bindings;
}
