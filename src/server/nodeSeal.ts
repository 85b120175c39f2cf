import { equalBytes, utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { parseStatement } from '../envelope/statement.ts';
import { parseClaim } from '../provenance/claim.ts';
import { type AttemptEvidence, encodeEvidence } from '../provenance/evidence.ts';
import { parseNodeEvidence } from '../provenance/nodeEvidence.ts';
import { NODE_EVIDENCE, STEP_CLAIM } from '../provenance/uris.ts';
import type { StatementRole } from '../registry/predicates.ts';
import type { Caller, SealItem, SealRequest, SealResponse } from '../rpc/gen/stepseal/node_pb.js';
import { attemptOf } from '../signer/seal.ts';
import { type Attempt, readOpenAttempt, takeFinalClaim } from '../store/attempts.ts';
import { bindingOf } from './binding.ts';
import type { Core } from './core.ts';
import { identityOf, type KnownCaller, knownCaller, ownAttempt } from './identities.ts';
import type { AgentPeer } from './peers.ts';
import { sealAll, type SealSubject } from './sealing.ts';

/**
 * Node.Seal: what an agent asks to have certified for a caller it attested. Throws what knownCaller and sealAll throw,
 * IDENTITY_NONE, IDENTITY_NOT_ALLOWED, ROAD_NOT_ALLOWED, SEAL_INVALID, CLAIM_INVALID, CLAIM_EQUIVOCATION, and for
 * statements about an attempt that is not theirs ATTEMPT_MISMATCH, ATTEMPT_UNKNOWN, IDENTITY_MISMATCH.
 */
export async function nodeSeal(core: Core, agent: AgentPeer, request: SealRequest): Promise<SealResponse> {
  if (request.final) refuseSecondClaim(core, agent, request.caller);
  const known = knownCaller(core, agent, request.caller);
  const identity = identityOf(core, known.facts, request.spiffeId);
  core.registry.authorizeSigning({ spiffeId: identity.id.uri, road: 'seal', attemptOpen: known.attempt !== undefined });
  const subject: SealSubject = {
    spiffeId: identity.id.uri,
    attempt: attemptOf(request.caller!),
    role: roleOf(known, request.final),
    step: known.attempt && bindingOf(core.trustDomain, known.attempt),
  };
  checkOwnStatements(core, agent, known, request);
  return sealAll(request, subject, core.sealing, () => {
    if (known.attempt === undefined) return;
    // taken before anything is signed: of two final claims that arrive at once, one is refused
    if (request.final) takeFinalClaim(core.db, known.attempt.id, core.clock.now());
    // the roads may have closed while the signatures were checked
    else readOpenAttempt(core.db, known.attempt.id);
  });
}

/** The roads of an attempt that has made its claim are closed; whoever makes another is told what it is. */
function refuseSecondClaim(core: Core, agent: AgentPeer, caller: Caller | undefined): void {
  if (caller?.who.case !== 'attemptId') throw invalid('`final` for a step attempt only', caller?.who.case ?? 'no caller');
  const { id, claimed } = ownAttempt(core, agent, caller.who.value);
  if (claimed !== undefined) throw new StepsealError('CLAIM_EQUIVOCATION', `attempt ${id} has made its final claim`);
}

function roleOf({ facts }: KnownCaller, final: boolean): StatementRole {
  if (facts.kind === 'agent') return 'agent';
  return final ? 'step-end' : 'caller';
}

/** A final Seal holds exactly one claim, which is of this attempt; node evidence is of an attempt of the calling agent, whose end it has not reported. */
function checkOwnStatements(core: Core, agent: AgentPeer, { facts, attempt }: KnownCaller, request: SealRequest): void {
  const statements = request.items.flatMap((item) => statementOf(item) ?? []);
  const claims = statements.filter(({ type }) => type === STEP_CLAIM);
  if (request.final) {
    if (claims.length !== 1) throw invalid('exactly one claim in a final Seal', `${claims.length}`);
    assertEvidenceOf(attempt!, parseClaim(claims[0]!.payload).evidence);
  }
  for (const { type, payload } of statements) {
    // in another role it is refused as reserved
    if (type !== NODE_EVIDENCE || facts.kind !== 'agent') continue;
    const { evidence } = parseNodeEvidence(payload);
    if (evidence.agent !== agent.id) throw new StepsealError('IDENTITY_MISMATCH', 'the evidence is another agent\'s', { expected: agent.id, found: evidence.agent });
    const about = ownAttempt(core, agent, evidence.attempt);
    if (about.closed !== undefined) throw new StepsealError('ATTEMPT_ENDED', `attempt ${about.id} has ended`, { found: about.reason ?? 'closed' });
    assertEvidenceOf(about, evidence);
  }
}

function assertEvidenceOf(attempt: Attempt, evidence: AttemptEvidence): void {
  if (equalBytes(encodeEvidence(evidence), utf8(attempt.evidence))) return;
  throw new StepsealError('ATTEMPT_MISMATCH', 'the statement carries other evidence than the attempt was opened with', { expected: attempt.id, found: evidence.attempt });
}

function statementOf({ what }: SealItem): { type: string; payload: Uint8Array } | undefined {
  return what.case === 'statement' ? { type: parseStatement(what.value).predicateType, payload: what.value } : undefined;
}

function invalid(expected: string, found: string): StepsealError {
  return new StepsealError('SEAL_INVALID', 'the Seal request cannot be accepted', { expected, found });
}
