import { randomUUID } from 'node:crypto';
import { fromUtf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { encodeEvidence, parseObserved } from '../provenance/evidence.ts';
import type { AttemptSchema, CloseAttemptRequest, OpenAttemptRequest } from '../rpc/gen/stepseal/node_pb.js';
import type { Outgoing } from '../rpc/definition.ts';
import { agentOfTaskRun, closeAttempt, openAttempt } from '../store/attempts.ts';
import type { Core } from './core.ts';
import { ownAttempt } from './identities.ts';
import type { AgentPeer } from './peers.ts';
import { stepOfRun } from './runs.ts';

/** What evidence can carry (provenance/evidence.ts). */
const MAX_ATTEMPT = 1000;

/**
 * Just-in-time registration: the step must be one of a run that the server created from the Task it read itself, in the
 * isolation that the run was created with. Throws EVIDENCE_INVALID, RUN_UNKNOWN, RUN_FINISHED, STEP_UNEXPECTED,
 * PROVENANCE_DISAGREEMENT, TASKRUN_FOREIGN, ATTEMPT_EXISTS.
 */
export function openStepAttempt(core: Core, agent: AgentPeer, request: OpenAttemptRequest): Outgoing<typeof AttemptSchema> {
  const observed = parseObserved(request.observed);
  if (request.attempt > MAX_ATTEMPT) throw new StepsealError('EVIDENCE_INVALID', 'no step is tried so often', { expected: `at most ${MAX_ATTEMPT}`, found: `${request.attempt}` });
  const { run, taskRun, step } = stepOfRun(core, request.taskRunUid, request.step);
  // its UID is no secret once a certificate of the first step is logged
  const owner = agentOfTaskRun(core.db, taskRun.uid) ?? agent.id;
  if (owner !== agent.id) throw new StepsealError('TASKRUN_FOREIGN', 'the TaskRun is on another agent', { expected: owner, found: agent.id });
  if (observed.isolation !== run.facts.isolation) {
    throw new StepsealError('PROVENANCE_DISAGREEMENT', 'agent and server disagree on the isolation of the run', {
      expected: run.facts.isolation, found: observed.isolation,
    });
  }
  const id = randomUUID();
  const [identity] = core.registry.identify({ kind: 'step', attemptId: id, path: step.identity.split('/').slice(3), open: true });
  if (identity === undefined) throw new StepsealError('IDENTITY_NONE', 'no template gives this step an identity', { found: step.identity });
  const evidence = encodeEvidence({
    attempt: id,
    identity: identity.id.uri,
    runUid: run.facts.runUid,
    taskRunUid: taskRun.uid,
    pipelineTask: taskRun.pipelineTask,
    task: taskRun.task,
    taskDigest: taskRun.taskDigest,
    parametersDigest: run.parametersDigest,
    step: step.name,
    attemptNumber: request.attempt,
    agent: agent.id,
    observed,
  });
  openAttempt(
    core.db,
    { id, taskRunUid: taskRun.uid, step: step.name, attempt: request.attempt, agentId: agent.id, spiffeId: identity.id.uri, evidence: fromUtf8(evidence) },
    core.clock.now(),
  );
  core.log.info({ attempt: id, identity: identity.id.uri, run: run.facts.runUid, agent: agent.id }, 'attempt opened');
  return {
    attemptId: id,
    spiffeId: identity.id.uri,
    evidence,
    results: taskRun.results.map(({ name }) => name),
    stepResults: step.results.map(({ name }) => name),
    resultTypes: Object.fromEntries([
      ...taskRun.results.map(({ name, type }) => [`task/${name}`, type]),
      ...step.results.map(({ name, type }) => [`step/${name}`, type]),
    ]),
    roads: [...identity.roads],
  };
}

/** Closes every road of the attempt and keeps what the agent made. Throws ATTEMPT_UNKNOWN, ATTEMPT_ENDED, RUN_INVALID. */
export function closeStepAttempt(core: Core, agent: AgentPeer, request: CloseAttemptRequest): void {
  const attempt = ownAttempt(core, agent, request.attemptId);
  if (request.reason !== 'ended' && request.reason !== 'lost') {
    throw new StepsealError('RUN_INVALID', 'the reason for the end is not as it should be', { expected: 'ended or lost', found: request.reason });
  }
  closeAttempt(core.db, {
    id: attempt.id,
    now: core.clock.now(),
    reason: request.reason,
    claimBundle: request.claimBundle,
    evidenceBundle: request.evidenceBundle,
    artifacts: request.artifacts,
  });
  core.log.info({ attempt: attempt.id, identity: attempt.spiffeId, reason: request.reason }, 'attempt closed');
}
