import type { MessageInitShape } from '@bufbuild/protobuf';
import { isUtf8 } from 'node:buffer';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fromUtf8, sha256, utf8 } from '../base/bytes.ts';
import { isStepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { canonicalJson } from '../base/json.ts';
import { MAX_INLINE_RESULT } from '../provenance/result.ts';
import type { ViewedStep } from '../provenance/run.ts';
import type { StepPathsSchema } from '../rpc/gen/stepseal/runner_pb.js';
import { stepFiles } from '../task/layout.ts';
import type { StepSpec } from '../task/model.ts';
import { type RenderedStep, renderStep, type StepContext, stepRuns } from '../task/render.ts';
import { copyArtifact } from './collect.ts';
import type { TaskContext } from './context.ts';
import type { SealedArtifact, StepName, StepReason } from './events.ts';
import { makeTemporary, writeExitCode, writeScript } from './folders.ts';
import { assertUnmoved } from './hidden.ts';
import { isBelow, readMounts } from './mountinfo.ts';
import { startStep, type StepProcess } from './process.ts';
import { rootCommands, STEP_SOCKETS } from './root.ts';

/** Tekton counts retries; here a step is tried once. */
const ATTEMPT = 1;

export interface FinishedStep {
  readonly view: ViewedStep;
  readonly timedOut: boolean;
}

/**
 * Runs one step from its `when` to its sealed end. A step that fails is an outcome; thrown is what keeps it from being
 * run or attested: the agent's codes, RUNNER_ISOLATION, RUNNER_STATE_MOVED, TASK_RESULT_*.
 */
export async function runStep(task: TaskContext, step: StepSpec): Promise<FinishedStep> {
  const { run, taskRun } = task;
  const { options } = run;
  const name: StepName = { pipelineTask: taskRun.pipelineTask, step: step.name };
  const context: StepContext = { runUid: run.runUid, taskRunUid: task.uid, params: task.params, layout: task.layout, stepResults: task.stepResults };
  if (!stepRuns(run.plan, taskRun, step, context)) {
    writeExitCode(task.folders, step.name, 0);
    return { view: skipStep(task, step, 'When Expressions evaluated to false'), timedOut: false };
  }
  const begun = performance.now();
  const rendered = renderStep(run.plan, taskRun, step, context);
  const renderedJson = utf8(canonicalJson(rendered));
  const child = await launch(task, step, rendered, name);
  // a signal that came before has been seen by the task already; after this, it ends the step at once
  const stop = (): void => void child.close();
  options.signal?.addEventListener('abort', stop);
  try {
    options.signal?.throwIfAborted();
    const granted = await options.agent.startStep({
      runUid: run.runUid,
      taskRunUid: task.uid,
      step: step.name,
      attempt: ATTEMPT,
      pid: child.pid,
      isolated: options.isolation.isolated,
      rendered: renderedJson,
      paths: pathsOf(task, step),
      image: step.image,
    });
    const { attemptId, spiffeId, attested, elapsedUs } = granted;
    const grantedMs = Number(granted.grantedMs);
    const ms = performance.now() - begun;
    options.onEvent({ kind: 'step-started', ...name, image: rendered.image, spiffeId, attested, grantedMs, elapsedUs: Number(elapsedUs), ms });
    const started = options.clock.now();
    const { exitCode, leftovers, reason } = await runToEnd(task, step, child);
    // the clock may jump; what ended did not end before it started
    const finished = Math.max(started, options.clock.now());
    options.signal?.throwIfAborted();
    writeExitCode(task.folders, step.name, exitCode);
    const sealed = await options.agent.endStep({ attemptId, exitCode, reason, startedMs: BigInt(started), finishedMs: BigInt(finished) });
    Object.assign(task.results, texts(sealed.results));
    Object.assign(task.digests, Object.fromEntries(digestsOf(sealed.resultDigests)));
    task.stepResults[step.name] = texts(sealed.stepResults);
    run.problems.push(...sealed.problems.map(({ code, message }) => ({ code, message })));
    options.onEvent({ kind: 'step-sealed', ...name, sealed });
    for (const artifact of sealed.artifacts) await place(task, name, artifact, child.pid);
    await child.close();
    // the last step too: what stands in the place of the state would be taken for it by the next start
    assertUnmoved(run.hidden);
    const outcome = exitCode === 0 && reason === '' ? 'succeeded' : 'failed';
    options.onEvent({ kind: 'step-ended', ...name, outcome, exitCode, reason, ms: finished - started, leftovers });
    const view = { name: step.name, outcome, attempt: attemptId, attemptNumber: ATTEMPT, rendered: toHex(sha256(renderedJson)), exitCode, started, finished } as const;
    return { view, timedOut: reason === 'timeout' };
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await child.close();
  }
}

export function skipStep(task: Pick<TaskContext, 'run' | 'taskRun'>, step: StepSpec, reason: string): ViewedStep {
  task.run.options.onEvent({ kind: 'step-skipped', pipelineTask: task.taskRun.pipelineTask, step: step.name, reason });
  return { name: step.name, outcome: 'skipped' };
}

async function launch(task: TaskContext, step: StepSpec, rendered: RenderedStep, name: StepName): Promise<StepProcess> {
  const { run, folders, layout } = task;
  const { options } = run;
  const files = stepFiles(layout, step);
  if (rendered.script !== undefined) writeScript(folders, files.script, layout.tekton, rendered.script);
  assertUnmoved(run.hidden);
  const temporary = makeTemporary(folders, step.name);
  const pipes = join(temporary, 'pipes');
  mkdirSync(pipes);
  const sockets = options.isolation.isolated ? STEP_SOCKETS : options.sockets;
  const env = {
    PATH: options.path,
    HOME: files.home,
    SPIFFE_ENDPOINT_SOCKET: `unix://${sockets.workload}`,
    STEPSEAL_SEAL_SOCKET: sockets.seal,
    ...Object.fromEntries(rendered.env.map((variable) => [variable.name, variable.value])),
  };
  const hidden = run.hidden.map(({ path }) => path);
  const root = (): string => {
    const mountpoint = join(temporary, 'root');
    mkdirSync(mountpoint);
    return rootCommands({ mountpoint, folders, step: step.name, temporary, sockets: options.sockets, hidden, mounts: readMounts() });
  };
  return startStep({
    argv: rendered.argv,
    env,
    workingDir: rendered.workingDir,
    makeWorkingDir: isBelow(rendered.workingDir, layout.workspace),
    root: options.isolation.isolated ? root() : undefined,
    folder: pipes,
    onLine: (stream, line) => options.onEvent({ kind: 'output', ...name, stream, line }),
  });
}

/** `workingDir` is what stands for /workspace: the server renders with it. */
function pathsOf(task: TaskContext, step: StepSpec): MessageInitShape<typeof StepPathsSchema> {
  const { results, stepResults, stepArtifacts, taskArtifacts } = stepFiles(task.layout, step);
  return { results, stepResults, stepArtifacts, taskArtifacts, workingDir: task.layout.workspace, workspaces: { ...task.layout.workspaces } };
}

async function runToEnd(task: TaskContext, step: StepSpec, child: StepProcess): Promise<{ exitCode: number; leftovers: number; reason: StepReason }> {
  const own = step.timeoutMs ? performance.now() + step.timeoutMs : Infinity;
  const left = Math.min(own, task.deadline) - performance.now();
  let late = false;
  // setTimeout holds 24 days; no step outlives them here
  const timer = left === Infinity ? undefined : setTimeout(() => {
    late = true;
    child.interrupt();
  }, Math.min(Math.max(0, left), 0x7fffffff));
  const { exitCode, leftovers } = await child.run();
  clearTimeout(timer);
  return { exitCode, leftovers, reason: late ? 'timeout' : exitCode === 0 ? '' : 'error' };
}

async function place(task: TaskContext, name: StepName, artifact: SealedArtifact, pid: number): Promise<void> {
  const { run } = task;
  const destination = artifact.path === '' ? undefined : run.options.placeArtifact?.(artifact, name);
  if (destination === undefined) return;
  try {
    await copyArtifact(artifact, pid, destination);
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    run.problems.push({ code: error.code, message: error.message });
  }
}

/** Only what claims carry is handed on: with anything else the server could not say what a later step was made of. */
function texts(contents: Readonly<Record<string, Uint8Array>>): Record<string, string> {
  const small = Object.entries(contents).filter(([, bytes]) => bytes.length <= MAX_INLINE_RESULT && isUtf8(bytes));
  return Object.fromEntries(small.map(([name, bytes]) => [name, fromUtf8(bytes)]));
}

function digestsOf(digests: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(digests).flatMap(([name, sha]) => (name.startsWith('task/') ? [[name.slice('task/'.length), sha]] : []));
}
