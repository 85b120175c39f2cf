import { lineage, sameProcess, type ProcessName } from '../attestor/ancestry.ts';
import type { PeerMode } from '../attestor/peer.ts';
import { holdStep, type StepHold } from '../attestor/step.ts';
import { equalBytes, sha256, utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { canonicalJson, parseJson } from '../base/json.ts';
import { encodeObserved, type Observed, parseEvidence, type StepPaths } from '../provenance/evidence.ts';
import type { ResultType } from '../provenance/result.ts';
import type { Outgoing } from '../rpc/definition.ts';
import type { Attempt as Granted } from '../rpc/gen/stepseal/node_pb.js';
import type { StartStepRequest, StartStepResponseSchema } from '../rpc/gen/stepseal/runner_pb.js';
import type { Attempts } from './attempts.ts';
import type { AgentCore } from './core.ts';
import { microseconds } from './sealService.ts';

export interface RunnerPeer {
  readonly name: ProcessName;
  /** how this node holds processes: the mode in which the runner itself is held */
  readonly mode: PeerMode;
}

/**
 * Attests a step's first process, which waits, and registers the attempt with the server. Throws STEP_PROCESS_GONE,
 * STEP_NOT_ISOLATED, STEP_UNREADABLE, STEP_FOREIGN, EVIDENCE_INVALID, and what Node.OpenAttempt answers.
 */
export async function startStep(core: AgentCore, attempts: Attempts, runner: RunnerPeer, request: StartStepRequest): Promise<Outgoing<typeof StartStepResponseSchema>> {
  const begun = performance.now();
  const rendered = renderedDigest(request.rendered);
  const hold = holdStep(request.pid, request.isolated);
  try {
    assertOwn(hold, runner, attempts);
    const observed = observedOf(hold, request, runner.mode, rendered, core.clock.now());
    const granted = await core.server.node().openAttempt({
      taskRunUid: request.taskRunUid, step: request.step, attempt: request.attempt, observed: encodeObserved(observed),
    });
    const evidence = evidenceOf(core, granted, request, observed);
    attempts.add({
      id: granted.attemptId, spiffeId: granted.spiffeId, evidence, hold, paths: observed.paths,
      results: typesOf('task', granted.results, granted), stepResults: typesOf('step', granted.stepResults, granted),
      asked: 0, seals: [], sealedFiles: new Map(), underWay: new Set(),
    });
    core.callers.openStep(granted.attemptId, hold);
    core.stepOpened();
    core.log.info({ attempt: granted.attemptId, identity: granted.spiffeId, pid: request.pid, isolated: request.isolated }, 'step attested');
    return { attemptId: granted.attemptId, spiffeId: granted.spiffeId, grantedMs: BigInt(core.clock.now()), elapsedUs: microseconds(begun), attested: attestedLines(hold, observed) };
  } catch (error) {
    hold.release();
    throw error;
  }
}

/** SHA-256 of the RenderedStep; it must be canonical, so that one content has one digest. */
function renderedDigest(rendered: Uint8Array): string {
  if (!equalBytes(utf8(canonicalJson(parseJson(rendered))), rendered)) throw new StepsealError('EVIDENCE_INVALID', 'the rendered step is not canonical JSON');
  return toHex(sha256(rendered));
}

/** The process descends from the runner, and belongs to no other open step. */
function assertOwn(hold: StepHold, runner: RunnerPeer, attempts: Attempts): void {
  const chain = lineage(hold.process.pid);
  if (!hold.alive() || chain === undefined) throw new StepsealError('STEP_PROCESS_GONE', 'the step\'s first process has ended');
  if (!chain.some((name) => sameProcess(name, runner.name))) {
    throw new StepsealError('STEP_FOREIGN', 'the process that is to be a step was not started by the runner', { found: `pid ${hold.process.pid}` });
  }
  const other = attempts.open().find((open) => (hold.isolated ? open.hold.pidNamespace === hold.pidNamespace : sameProcess(open.hold.process, hold.process)));
  if (other !== undefined) throw new StepsealError('STEP_FOREIGN', 'the process belongs to another open step', { found: other.id });
}

function observedOf(hold: StepHold, request: StartStepRequest, peer: PeerMode, rendered: string, now: number): Observed {
  return {
    peer,
    isolation: hold.isolated ? 'isolated' : 'unisolated',
    // `device:inode`
    pidNamespace: hold.pidNamespace.split(':')[1]!,
    uid: hold.rights.uid,
    gid: hold.rights.gid,
    rendered,
    paths: pathsOf(request),
    image: request.image,
    attested: now,
  };
}

function pathsOf({ paths }: StartStepRequest): StepPaths {
  const { results = '', stepResults = '', stepArtifacts = '', taskArtifacts = '', workingDir = '', workspaces = {} } = paths ?? {};
  return { results, stepResults, stepArtifacts, taskArtifacts, workingDir, workspaces };
}

/** What the server made of it must be about this step, this agent and what was observed: the agent will sign it. */
function evidenceOf(core: AgentCore, granted: Granted, request: StartStepRequest, observed: Observed) {
  const evidence = parseEvidence(granted.evidence);
  const same = evidence.attempt === granted.attemptId && evidence.identity === granted.spiffeId && evidence.agent === core.id
    && evidence.runUid === request.runUid && evidence.taskRunUid === request.taskRunUid && evidence.step === request.step
    && evidence.attemptNumber === request.attempt && equalBytes(encodeObserved(evidence.observed), encodeObserved(observed));
  if (!same) throw new StepsealError('EVIDENCE_INVALID', 'the server\'s evidence is not about what this agent observed', { found: granted.attemptId });
  return evidence;
}

function typesOf(scope: 'task' | 'step', names: readonly string[], { resultTypes }: Granted): Map<string, ResultType> {
  return new Map(names.map((name) => [name, (resultTypes[`${scope}/${name}`] ?? 'string') as ResultType]));
}

function attestedLines({ isolated, process, rights }: StepHold, { pidNamespace, rendered, peer }: Observed): string[] {
  return [
    isolated ? `pid namespace ${pidNamespace}, first process ${process.pid}` : `supervisor ${process.pid}, not isolated`,
    `uid ${rights.uid}, gid ${rights.gid}`,
    `rendered step sha256:${rendered}`,
    `callers held by ${peer}`,
  ];
}
