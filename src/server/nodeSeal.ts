import { equalBytes, sha256, utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { parseStatement } from '../envelope/statement.ts';
import { parseClaim } from '../provenance/claim.ts';
import { encodeEvidence } from '../provenance/evidence.ts';
import { parseNodeEvidence } from '../provenance/nodeEvidence.ts';
import { NODE_EVIDENCE, STEP_CLAIM } from '../provenance/uris.ts';
import type { StatementRole } from '../registry/predicates.ts';
import type { SealItem, SealRequest, SealResponse } from '../rpc/gen/stepseal/node_pb.js';
import { attemptOf } from '../signer/seal.ts';
import { type Attempt, takeFinalClaim } from '../store/attempts.ts';
import type { Core } from './core.ts';
import { identityOf, type KnownCaller, knownCaller } from './identities.ts';
import type { AgentPeer } from './peers.ts';
import { sealAll, type SealSubject } from './sealing.ts';

/**
 * Node.Seal: what an agent asks to have certified for a caller it attested. Throws what knownCaller and sealAll throw,
 * IDENTITY_NONE, IDENTITY_NOT_ALLOWED, ROAD_NOT_ALLOWED, SEAL_INVALID, CLAIM_INVALID, CLAIM_EQUIVOCATION.
 */
export async function nodeSeal(core: Core, agent: AgentPeer, request: SealRequest): Promise<SealResponse> {
  const known = knownCaller(core, agent, request.caller);
  const identity = identityOf(core, known.facts, request.spiffeId);
  core.registry.authorizeSigning({ spiffeId: identity.id.uri, road: 'seal', attemptOpen: known.attempt !== undefined });
  const subject: SealSubject = {
    spiffeId: identity.id.uri,
    attempt: attemptOf(request.caller!),
    role: roleOf(known, request.final),
    step: known.attempt && { attempt: known.attempt.id, evidenceDigest: sha256(utf8(known.attempt.evidence)), taskRunUid: known.attempt.taskRunUid },
  };
  checkOwnStatements(agent, known.attempt, request);
  // taken before anything is signed: of two final claims that arrive at once, one is refused
  const beforeSigning = request.final ? () => takeFinalClaim(core.db, known.attempt!.id, core.clock.now()) : undefined;
  return sealAll(request, subject, core.sealing, beforeSigning);
}

function roleOf({ facts, attempt }: KnownCaller, final: boolean): StatementRole {
  if (facts.kind === 'agent') return 'agent';
  if (final && attempt === undefined) throw invalid('`final` for a step attempt only', facts.kind);
  return final ? 'step-end' : 'caller';
}

/** A final Seal holds exactly one claim, which is of this attempt; node evidence is the calling agent's own. */
function checkOwnStatements(agent: AgentPeer, attempt: Attempt | undefined, request: SealRequest): void {
  const statements = request.items.flatMap((item) => statementOf(item) ?? []);
  const claims = statements.filter(({ type }) => type === STEP_CLAIM);
  if (request.final) {
    if (claims.length !== 1) throw invalid('exactly one claim in a final Seal', `${claims.length}`);
    const claim = parseClaim(claims[0]!.payload);
    if (!equalBytes(encodeEvidence(claim.evidence), utf8(attempt!.evidence))) {
      throw new StepsealError('ATTEMPT_MISMATCH', 'the claim is of another attempt', { expected: attempt!.id, found: claim.attempt });
    }
  }
  for (const { type, payload } of statements) {
    if (type !== NODE_EVIDENCE) continue;
    const { evidence } = parseNodeEvidence(payload);
    if (evidence.agent !== agent.id) throw new StepsealError('IDENTITY_MISMATCH', 'the evidence is another agent\'s', { expected: agent.id, found: evidence.agent });
  }
}

function statementOf({ what }: SealItem): { type: string; payload: Uint8Array } | undefined {
  return what.case === 'statement' ? { type: parseStatement(what.value).predicateType, payload: what.value } : undefined;
}

function invalid(expected: string, found: string): StepsealError {
  return new StepsealError('SEAL_INVALID', 'the Seal request cannot be accepted', { expected, found });
}
