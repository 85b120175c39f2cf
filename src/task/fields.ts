import { StepsealError } from '../base/errors.ts';
import type { Reader } from '../base/read.ts';
import type { Note } from './model.ts';

/**
 * Every field of tekton.dev/v1 that a run on one machine knows: `honoured` has its effect, `noted` has none here and
 * is shown and recorded. What is in neither list is refused, whether Tekton knows it or not.
 */
export const FIELDS = {
  object: { honoured: ['apiVersion', 'kind', 'metadata', 'spec'], noted: [] },
  metadata: { honoured: ['name', 'generateName'], noted: ['namespace', 'labels', 'annotations'] },
  taskSpec: { honoured: ['params', 'results', 'workspaces', 'steps', 'stepTemplate'], noted: ['description', 'displayName'] },
  // a Pipeline may give its embedded Task metadata; other kinds have an apiVersion and are refused
  embeddedTask: { honoured: ['params', 'results', 'workspaces', 'steps', 'stepTemplate'], noted: ['description', 'displayName', 'metadata'] },
  step: {
    honoured: ['name', 'command', 'args', 'script', 'env', 'workingDir', 'timeout', 'onError', 'results', 'when'],
    noted: ['image', 'imagePullPolicy', 'computeResources', 'displayName'],
  },
  stepTemplate: { honoured: ['command', 'args', 'env', 'workingDir'], noted: ['image', 'imagePullPolicy', 'computeResources'] },
  env: { honoured: ['name', 'value'], noted: [] },
  paramSpec: { honoured: ['name', 'type', 'default', 'properties', 'enum'], noted: ['description'] },
  property: { honoured: ['type'], noted: [] },
  param: { honoured: ['name', 'value'], noted: [] },
  taskResult: { honoured: ['name', 'type', 'properties', 'value'], noted: ['description'] },
  stepResult: { honoured: ['name', 'type', 'properties'], noted: ['description'] },
  pipelineResult: { honoured: ['name', 'type', 'value'], noted: ['description'] },
  when: { honoured: ['input', 'operator', 'values'], noted: [] },
  workspace: { honoured: ['name', 'mountPath', 'readOnly', 'optional'], noted: ['description'] },
  pipelineWorkspace: { honoured: ['name', 'optional'], noted: ['description'] },
  pipelineSpec: { honoured: ['params', 'results', 'workspaces', 'tasks', 'finally'], noted: ['description', 'displayName'] },
  pipelineTask: {
    honoured: ['name', 'taskRef', 'taskSpec', 'runAfter', 'params', 'workspaces', 'when', 'timeout', 'onError'],
    noted: ['description', 'displayName'],
  },
  pipelineTaskWorkspace: { honoured: ['name', 'workspace', 'subPath'], noted: [] },
  taskRef: { honoured: ['name', 'kind', 'apiVersion'], noted: [] },
  pipelineRef: { honoured: ['name', 'apiVersion'], noted: [] },
  taskRunSpec: { honoured: ['params', 'taskRef', 'taskSpec', 'timeout', 'workspaces'], noted: ['computeResources'] },
  pipelineRunSpec: { honoured: ['params', 'pipelineRef', 'pipelineSpec', 'timeouts', 'workspaces'], noted: [] },
  timeouts: { honoured: ['pipeline', 'tasks', 'finally'], noted: [] },
} as const satisfies Record<string, { readonly honoured: readonly string[]; readonly noted: readonly string[] }>;

/** Volume sources of a workspace binding that only a cluster has; a directory given by the person stands in for them. */
export const VOLUMES = ['volumeClaimTemplate', 'persistentVolumeClaim', 'configMap', 'secret', 'projected', 'csi'] as const;

/** Has no effect on a cluster either, so there is nothing to say. */
const FOR_PEOPLE: readonly string[] = ['description', 'displayName'];

/** Refuses every field outside the lists with TASK_FIELD_UNSUPPORTED, collects the noted ones. Returns the reader. */
export function fields(reader: Reader, kind: keyof typeof FIELDS, notes: Note[]): Reader {
  const { honoured, noted } = FIELDS[kind];
  return only(reader, honoured, noted, notes);
}

export function only(reader: Reader, honoured: readonly string[], noted: readonly string[], notes: Note[]): Reader {
  for (const [name, value] of Object.entries(reader.object())) {
    if (value === null) continue;
    if (noted.includes(name)) {
      if (!FOR_PEOPLE.includes(name)) notes.push({ path: reader.at(name).path, value });
    } else if (!honoured.includes(name)) throw unsupported(reader.at(name).path, `one of ${[...honoured, ...noted].join(', ')}`);
  }
  return reader;
}

export function unsupported(path: string, expected: string): StepsealError {
  return new StepsealError('TASK_FIELD_UNSUPPORTED', `${path} is not something that a run on one machine can honour`, { expected });
}

/** The items of a list field; an absent or null field is an empty list. */
export function list<T>(reader: Reader, read: (item: Reader) => T): T[] {
  return reader.optional((value) => value.array().map(read)) ?? [];
}

/** DNS-1123 label: what Kubernetes and a SPIFFE path segment (SPIFFE-ID section 2.2) both allow. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** DNS-1123 subdomain. */
const OBJECT_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

export function label(reader: Reader): string {
  return reader.string('a name of lower-case letters, digits and -, at most 63', LABEL);
}

export function objectName(reader: Reader): string {
  return reader.string('a name of lower-case letters, digits, - and .', OBJECT_NAME);
}
