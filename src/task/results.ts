import { isStepsealError } from '../base/errors.ts';
import { runningLookup, type RunState } from './pipelineScope.ts';
import type { RunPlan, TaskRunPlan } from './runPlan.ts';
import { parseResult, typeOf, type Value, type Values } from './value.ts';
import { type Lookup, select, substituteValue } from './variables.ts';

type Contents = Readonly<Record<string, string>>;

/**
 * Contents of a Task's results after its last step: those observed as files, and those that the Task makes of step
 * results (`value`). One whose step result was not written is left out, as in Tekton.
 */
export function taskResults(taskRun: TaskRunPlan, observed: Contents, stepResults: Readonly<Record<string, Contents>>): Contents {
  const out: Record<string, string> = {};
  const lookup: Lookup = ({ path: [, step = '', , name = '', ...keys], index }) => {
    const declared = taskRun.spec.steps.find((item) => item.name === step)?.results.find((result) => result.name === name);
    const content = stepResults[step]?.[name];
    return declared === undefined || content === undefined ? undefined : select(parseResult(name, content, declared.type), keys, index, false);
  };
  for (const { name, value } of taskRun.spec.results) {
    const content = value === undefined ? observed[name] : ifThere(() => contentOf(substituteValue(value, lookup, `result ${name}`)));
    if (content !== undefined) out[name] = content;
  }
  return out;
}

/** Values of a Pipeline's results at its end; those that need what no task has written are left out, as in Tekton. */
export function pipelineResults(plan: RunPlan, state: RunState): Values {
  const running = runningLookup(plan, state);
  // finally tasks are named `finally.t.results.r` here, and only here
  const lookup: Lookup = (reference) => running(reference.path[0] === 'finally' ? { ...reference, path: ['tasks', ...reference.path.slice(1)] } : reference);
  const out: Record<string, Value> = {};
  for (const { name, value, type } of plan.results) {
    const resolved = ifThere(() => substituteValue(value!, lookup, `pipeline result ${name}`));
    if (resolved !== undefined && typeOf(resolved) === type) out[name] = resolved;
  }
  return out;
}

function ifThere<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (isStepsealError(error) && (error.code === 'TASK_RESULT_MISSING' || error.code === 'TASK_VARIABLE_UNKNOWN')) return undefined;
    throw error;
  }
}

/** Such that `parseResult` gives the value back. */
function contentOf(value: Value): string {
  return typeof value === 'string' && !/^["[{]/.test(value) ? value : JSON.stringify(value);
}
