import { sha256, utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { canonicalJson } from '../base/json.ts';
import type { AttemptRecord } from '../provenance/attempt.ts';
import type { RenderAgain } from '../provenance/crossCheck.ts';
import type { StepPaths } from '../provenance/evidence.ts';
import type { Outcome, RunnerView } from '../provenance/run.ts';
import type { Layout } from '../task/layout.ts';
import type { RunState, TaskStatus } from '../task/pipelineScope.ts';
import { renderStep } from '../task/render.ts';
import { resolveTaskRun } from '../task/resolve.ts';
import { taskResults } from '../task/results.ts';
import type { RunPlan } from '../task/runPlan.ts';

type Contents = Readonly<Record<string, string>>;

const STATUS: Record<Outcome, TaskStatus> = { succeeded: 'Succeeded', failed: 'Failed', skipped: 'None' };

/** Renders steps of a run from the server's own plan, with results as the signed claims have them. */
export function renderAgain(plan: RunPlan, runUid: string, view: RunnerView): RenderAgain {
  return ({ taskRun, step, paths, attempts }) => {
    const planned = plan.taskRuns.find(({ pipelineTask }) => pipelineTask === taskRun.pipelineTask)!;
    const resolution = resolveTaskRun(plan, planned, stateOf(plan, runUid, view, attempts));
    if (!resolution.run) {
      throw new StepsealError('PROVENANCE_DISAGREEMENT', `runner ran a task that server would not have run: ${resolution.reason}`, { found: taskRun.pipelineTask });
    }
    const rendered = renderStep(plan, planned, planned.spec.steps.find(({ name }) => name === step.name)!, {
      runUid,
      taskRunUid: taskRun.uid,
      params: resolution.params,
      layout: layoutOf(paths),
      stepResults: stepResultsOf(attempts, taskRun.uid),
    });
    return toHex(sha256(utf8(canonicalJson(rendered))));
  };
}

function stateOf(plan: RunPlan, runUid: string, view: RunnerView, attempts: readonly AttemptRecord[]): RunState {
  const tasks = view.taskRuns.map(({ uid, pipelineTask, outcome, reason }) => {
    const planned = plan.taskRuns.find((taskRun) => taskRun.pipelineTask === pipelineTask)!;
    const results = taskResults(planned, taskResultsOf(attempts, uid), stepResultsOf(attempts, uid));
    return [pipelineTask, { status: STATUS[outcome], reason, results }] as const;
  });
  return { runUid, tasks: Object.fromEntries(tasks) };
}

function taskResultsOf(attempts: readonly AttemptRecord[], taskRunUid: string): Contents {
  return Object.assign({}, ...attempts.filter(({ claim }) => claim.taskRunUid === taskRunUid).map((attempt) => contents(attempt, 'task')));
}

function stepResultsOf(attempts: readonly AttemptRecord[], taskRunUid: string): Readonly<Record<string, Contents>> {
  return Object.fromEntries(attempts.filter(({ claim }) => claim.taskRunUid === taskRunUid).map((attempt) => [attempt.claim.step, contents(attempt, 'step')]));
}

function contents({ claim }: AttemptRecord, scope: 'task' | 'step'): Contents {
  return Object.fromEntries(claim.results.flatMap((result) => (result.scope === scope && result.value !== undefined ? [[result.name, result.value]] : [])));
}

function layoutOf(paths: StepPaths): Layout {
  return { tekton: paths.results.replace(/\/results$/, ''), workspace: paths.workingDir, workspaces: paths.workspaces };
}
