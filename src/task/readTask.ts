import { sha256, utf8 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { canonicalJson, type Json } from '../base/json.ts';
import type { Reader } from '../base/read.ts';
import { readDuration } from './duration.ts';
import { fields, label, list } from './fields.ts';
import type { EnvVar, Note, StepSpec, TaskSpec, WorkspaceDeclaration } from './model.ts';
import { assertUnique, readOnError, readParamSpecs, readResults, readWhen } from './readCommon.ts';

const MAX_STEPS = 200;

/** SHA-256 of the RFC 8785 form of a spec as written, hex. */
export function specDigest(spec: Json): string {
  return toHex(sha256(utf8(canonicalJson(spec))));
}

/** `kind` tells what else may stand beside the Task's own fields. Throws TASK_INVALID, TASK_FIELD_UNSUPPORTED. */
export function readTaskSpec(reader: Reader, kind: 'taskSpec' | 'embeddedTask', notes: Note[]): TaskSpec {
  fields(reader, kind, notes);
  const template = reader.at('stepTemplate').optional((value) => readTemplate(value, notes));
  const steps = reader.at('steps').array();
  if (steps.length === 0 || steps.length > MAX_STEPS) reader.at('steps').fail(`1 to ${MAX_STEPS} steps`);
  const spec = {
    params: readParamSpecs(reader.at('params'), notes),
    results: readResults(reader.at('results'), 'taskResult', notes),
    workspaces: readWorkspaces(reader.at('workspaces'), notes),
    steps: steps.map((step, index) => readStep(step, index, template, notes)),
    digest: specDigest(reader.value!),
  };
  assertUnique(reader.at('steps'), spec.steps.map((step) => step.name));
  return spec;
}

interface Template {
  readonly image: string | undefined;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly EnvVar[];
  readonly workingDir: string | undefined;
}

function readTemplate(reader: Reader, notes: Note[]): Template {
  fields(reader, 'stepTemplate', notes);
  return { image: reader.at('image').optional((value) => value.string()), ...readCommand(reader, notes) };
}

function readCommand(reader: Reader, notes: Note[]): Omit<Template, 'image'> {
  const env = list(reader.at('env'), (item) => {
    fields(item, 'env', notes);
    return { name: item.at('name').string('a name without = and NUL', /^[^=\0]+$/), value: item.at('value').optional((value) => value.string()) ?? '' };
  });
  return {
    command: list(reader.at('command'), (item) => item.string()),
    args: list(reader.at('args'), (item) => item.string()),
    env,
    workingDir: reader.at('workingDir').optional((value) => value.string('a directory', /./)),
  };
}

function readStep(reader: Reader, index: number, template: Template | undefined, notes: Note[]): StepSpec {
  fields(reader, 'step', notes);
  const own = readCommand(reader, notes);
  const script = reader.at('script').optional((value) => value.string('a script', /\S/));
  const given = reader.at('name').optional((value) => (value.value === '' ? undefined : label(value)));
  if (given?.startsWith('unnamed-')) reader.at('name').fail('a name that does not begin with unnamed-, which stands for steps without one');
  if (script !== undefined && own.command.length > 0) reader.at('command').fail('no command beside a script');
  if (script !== undefined && /^\s*#!win\b/.test(script)) reader.at('script').fail('a script for Linux');
  // stepTemplate is merged field by field; a script takes the place of the command
  const command = script !== undefined ? [] : own.command.length > 0 ? own.command : (template?.command ?? []);
  if (script === undefined && command.length === 0) reader.at('script').fail('a script or a command, since no image is there to have one');
  const timeoutMs = reader.at('timeout').optional(readDuration);
  const workingDir = own.workingDir ?? template?.workingDir;
  return {
    name: given ?? `unnamed-${index}`,
    index,
    image: reader.at('image').optional((value) => value.string()) ?? template?.image ?? '',
    command,
    args: own.args.length > 0 ? own.args : (template?.args ?? []),
    ...(script === undefined ? {} : { script }),
    env: mergeEnv(template?.env ?? [], own.env),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    onError: readOnError(reader.at('onError')),
    results: readResults(reader.at('results'), 'stepResult', notes),
    when: readWhen(reader.at('when'), notes),
  };
}

/** A step's variable replaces the template's of the same name in its place; new ones follow (strategic merge by name). */
function mergeEnv(template: readonly EnvVar[], own: readonly EnvVar[]): EnvVar[] {
  const merged = new Map(template.map((item) => [item.name, item.value]));
  for (const item of own) merged.set(item.name, item.value);
  return Array.from(merged, ([name, value]) => ({ name, value }));
}

function readWorkspaces(reader: Reader, notes: Note[]): WorkspaceDeclaration[] {
  const workspaces = list(reader, (item) => {
    fields(item, 'workspace', notes);
    const mountPath = item.at('mountPath').optional((value) => value.string('an absolute path without variables, . or ..', /^(?!.*(?:\/\.\.?(?:\/|$)|\$\())\/[^/]/));
    return {
      name: label(item.at('name')),
      ...(mountPath === undefined ? {} : { mountPath: mountPath.replace(/\/+/g, '/').replace(/\/$/, '') }),
      readOnly: item.at('readOnly').optional((value) => value.boolean()) ?? false,
      optional: item.at('optional').optional((value) => value.boolean()) ?? false,
    };
  });
  assertUnique(reader, workspaces.map((workspace) => workspace.name));
  return workspaces;
}
