import { type Layout, stepFiles } from './layout.ts';
import type { StepSpec, TaskSpec } from './model.ts';
import { paramValue } from './params.ts';
import type { Value, Values } from './value.ts';
import { type Lookup, type Reference, select, unknown } from './variables.ts';

/** What the variables of a Task's steps stand for (Tekton: variables.md, "Variables available in a Task"). */
export interface TaskScope {
  readonly spec: TaskSpec;
  readonly params: Values;
  readonly layout: Layout;
  readonly taskRun: { readonly name: string; readonly uid: string; readonly namespace: string };
  readonly task: string;
  /** for a spec that is embedded in a Pipeline */
  readonly pipeline?: { readonly name: string; readonly run: { readonly name: string; readonly uid: string; readonly namespace: string } };
  /** value of a declared result of an earlier step */
  readonly stepResult: (step: StepSpec, result: string) => Value;
}

/** `inScript`: step results are for command, args, env and when only, as in Tekton, so that no script is made of what a step wrote. */
export function taskLookup(scope: TaskScope, step: StepSpec, inScript: boolean): Lookup {
  const files = stepFiles(scope.layout, step);
  return (reference) => {
    const [root, ...keys] = reference.path;
    switch (root) {
      case 'params':
        return paramValue(scope.params, keys, reference.index);
      case 'steps':
        return stepValue(scope, step, inScript, reference);
      default:
        return reference.index === undefined ? plainValue(scope, step, files, root!, keys) : undefined;
    }
  };
}

function plainValue(scope: TaskScope, step: StepSpec, files: ReturnType<typeof stepFiles>, root: string, keys: readonly string[]): string | undefined {
  const [first, second, third, ...rest] = keys;
  if (rest.length > 0) return undefined;
  switch (root) {
    case 'results':
      return second === 'path' && third === undefined && scope.spec.results.some((result) => result.name === first) ? `${files.results}/${first}` : undefined;
    case 'step':
      if (first === 'artifacts' && second === 'path' && third === undefined) return files.stepArtifacts;
      return first === 'results' && third === 'path' && step.results.some((result) => result.name === second) ? `${files.stepResults}/${second}` : undefined;
    case 'artifacts':
      return first === 'path' && second === undefined ? files.taskArtifacts : undefined;
    case 'workspaces':
      return third === undefined ? workspaceValue(scope, first, second) : undefined;
    case 'context':
      return third === undefined ? contextValue(scope, first, second) : undefined;
    case 'credentials':
      return first === 'path' && second === undefined ? `${scope.layout.tekton}/creds` : undefined;
    default:
      return undefined;
  }
}

function workspaceValue(scope: TaskScope, name: string | undefined, what: string | undefined): string | undefined {
  if (!scope.spec.workspaces.some((workspace) => workspace.name === name)) return undefined;
  const directory = scope.layout.workspaces[name!];
  switch (what) {
    case 'path':
      return directory ?? '';
    case 'bound':
      return String(directory !== undefined);
    case 'claim':
    case 'volume':
      // there is neither on one machine; Tekton has '' where there is no claim
      return '';
    default:
      return undefined;
  }
}

function contextValue(scope: TaskScope, object: string | undefined, what: string | undefined): string | undefined {
  if (object === 'task') return what === 'name' ? scope.task : what === 'retry-count' ? '0' : undefined;
  if (object === 'pipeline') return what === 'name' ? scope.pipeline?.name : undefined;
  const run = object === 'taskRun' ? scope.taskRun : object === 'pipelineRun' ? scope.pipeline?.run : undefined;
  return what === 'name' || what === 'uid' || what === 'namespace' ? run?.[what] : undefined;
}

function stepValue(scope: TaskScope, step: StepSpec, inScript: boolean, reference: Reference): Value | undefined {
  const [, name = '', kind, ...keys] = reference.path;
  if (kind === 'exitCode') {
    const other = scope.spec.steps.find((candidate) => `step-${candidate.name}` === name);
    return other && keys.join() === 'path' && reference.index === undefined ? stepFiles(scope.layout, other).exitCode : undefined;
  }
  const [result, ...rest] = keys;
  const other = scope.spec.steps.find((candidate) => candidate.name === name);
  if (kind !== 'results' || result === undefined || !other?.results.some((declared) => declared.name === result)) return undefined;
  if (inScript) throw unknown(reference.text, `step ${step.name}: script`, 'a step result cannot be part of a script; hand it over in env');
  if (other.index >= step.index) throw unknown(reference.text, `step ${step.name}`, 'only an earlier step has results');
  return select(scope.stepResult(other, result), rest, reference.index, false);
}
