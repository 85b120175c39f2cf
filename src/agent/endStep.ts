import { StepsealError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import { encodeClaim, stepClaim } from '../provenance/claim.ts';
import { encodeNodeEvidence, type EndReason } from '../provenance/nodeEvidence.ts';
import type { Outgoing } from '../rpc/definition.ts';
import type { EndStepRequest, EndStepResponseSchema } from '../rpc/gen/stepseal/runner_pb.js';
import { type Content, seal, type SealedContent } from '../signer/seal.ts';
import type { Attempt, Attempts } from './attempts.ts';
import type { AgentCore } from './core.ts';
import { type ObservedArtifact, observeArtifacts } from './observeArtifacts.ts';
import { claimOf, type ObservedResult, observeResults, resultsOfStep } from './observeResults.ts';
import { Problems } from './problems.ts';
import { microseconds, sealedMessage } from './sealService.ts';

const REASONS: readonly string[] = ['', 'timeout', 'error'] satisfies readonly EndReason[];

/**
 * Closes every road of the step, looks at what it left while its file system is still held, and has that signed: its
 * artifacts and its one claim as the step, node evidence as the agent. What is refused of the step's outputs comes back
 * as problems. Throws ATTEMPT_ENDED, EVIDENCE_INVALID, and what Node.Seal and Node.CloseAttempt answer.
 */
export async function endStep(core: AgentCore, attempts: Attempts, request: EndStepRequest): Promise<Outgoing<typeof EndStepResponseSchema>> {
  const begun = performance.now();
  if (!REASONS.includes(request.reason)) throw new StepsealError('EVIDENCE_INVALID', 'the reason for the end is not as it should be', { expected: REASONS.join(', '), found: request.reason });
  const attempt = attempts.take(request.attemptId);
  core.callers.endStep(attempt.id);
  core.stepEnded(attempt.id);
  await Promise.allSettled(attempt.underWay);
  const problems = new Problems();
  const memory = attempts.memory(attempt.evidence.taskRunUid);
  const there = await observeResults(attempt, problems);
  const results = resultsOfStep(attempt.evidence.step, there, memory, problems);
  const { artifacts, inputs } = await observeArtifacts(attempt, results, memory, problems);
  const claimed = artifacts.map(({ name, uri, sha256, observed }) => ({ name, uri, sha256, observed }));
  const claim = encodeClaim(stepClaim(attempt.evidence, { results: results.map((result) => claimOf(result, problems)), artifacts: claimed, inputs, seals: attempt.seals }));
  const node = encodeNodeEvidence({
    evidence: attempt.evidence,
    started: Number(request.startedMs),
    finished: Number(request.finishedMs),
    exitCode: request.exitCode,
    reason: request.reason as EndReason,
    observed: core.clock.now(),
    results: results.map(({ name, scope, sha256 }) => ({ name, scope, sha256 })),
    artifacts: claimed,
  });
  const sealed = await sealEnd(core, attempt, artifacts, claim, node);
  await core.server.node().closeAttempt({
    attemptId: attempt.id, reason: 'ended', claimBundle: sealed.claim.bundle, evidenceBundle: sealed.evidence.bundle,
    artifacts: artifacts.map(({ name, sha256 }, i) => ({ name, sha256, bundle: sealed.artifacts[i]!.bundle })),
  });
  core.log.info({ attempt: attempt.id, identity: attempt.spiffeId, artifacts: artifacts.length, problems: problems.list.length }, 'step sealed');
  return {
    artifacts: artifacts.map(({ name, uri, sha256, path }, i) => ({ name, uri, sha256, path, bundle: sealed.artifacts[i]!.bundle })),
    claim: sealedMessage(sealed.claim),
    evidence: sealedMessage(sealed.evidence),
    results: contentsOf('task', there),
    stepResults: contentsOf('step', there),
    resultDigests: Object.fromEntries(there.map(({ scope, name, sha256 }) => [`${scope}/${name}`, sha256])),
    elapsedUs: microseconds(begun),
    problems: [...problems.list],
  };
}

interface SealedEnd {
  readonly artifacts: readonly SealedContent[];
  readonly claim: SealedContent;
  readonly evidence: SealedContent;
}

/** Two Seals at once: the step's artifacts and claim, and the agent's evidence. */
async function sealEnd(core: AgentCore, attempt: Attempt, artifacts: readonly ObservedArtifact[], claim: Uint8Array, node: Uint8Array): Promise<SealedEnd> {
  const { peer } = attempt.evidence.observed;
  const submit: Parameters<typeof seal>[1]['submit'] = (request) => core.server.node().seal(request);
  const contents: Content[] = [
    ...artifacts.map(({ name, sha256 }) => ({ kind: 'artifact' as const, name, sha256: fromHex(sha256, 32) })),
    { kind: 'statement', name: 'claim', payload: claim },
  ];
  const [step, [evidence]] = await Promise.all([
    seal({ caller: { who: { case: 'attemptId', value: attempt.id }, peer }, spiffeId: attempt.spiffeId, contents, final: true }, { ...core, submit }),
    seal({ caller: { who: { case: 'self', value: {} }, peer }, spiffeId: core.id, contents: [{ kind: 'statement', name: 'evidence', payload: node }] }, { ...core, submit }),
  ]);
  return { artifacts: step.slice(0, -1), claim: step.at(-1)!, evidence: evidence! };
}

function contentsOf(scope: 'task' | 'step', results: readonly ObservedResult[]): Record<string, Uint8Array> {
  return Object.fromEntries(results.flatMap((result) => (result.scope === scope && result.content !== undefined ? [[result.name, result.content]] : [])));
}
