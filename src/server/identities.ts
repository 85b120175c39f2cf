import { StepsealError } from '../base/errors.ts';
import type { AttestedFacts } from '../registry/facts.ts';
import type { Identity } from '../registry/registry.ts';
import type { Caller } from '../rpc/gen/stepseal/node_pb.js';
import { parseSpiffeId } from '../spiffe/id.ts';
import { type Attempt, readAttempt, readOpenAttempt } from '../store/attempts.ts';
import type { Core } from './core.ts';
import type { AgentPeer } from './peers.ts';

/** A caller as an agent attested it, with the attempt behind it where it is a step. */
export interface KnownCaller {
  readonly facts: AttestedFacts;
  readonly attempt: Attempt | undefined;
}

/**
 * What the server makes of an agent's word: an attempt must be open and this agent's own.
 * Throws ATTEMPT_UNKNOWN, ATTEMPT_ENDED, IDENTITY_NONE.
 */
export function knownCaller(core: Core, agent: AgentPeer, caller: Caller | undefined): KnownCaller {
  switch (caller?.who.case) {
    case 'attemptId': {
      const attempt = readOpenAttempt(core.db, ownAttempt(core, agent, caller.who.value).id);
      return { facts: { kind: 'step', attemptId: attempt.id, path: parseSpiffeId(attempt.spiffeId).segments, open: true }, attempt };
    }
    case 'workload': {
      const { uid, gid, user, path, exeSha256, operator } = caller.who.value;
      return { facts: { kind: 'workload', uid, gid, user, path, operator, ...(exeSha256 !== '' && { exeSha256 }) }, attempt: undefined };
    }
    case 'self':
      return { facts: agentFacts(agent.id), attempt: undefined };
    default:
      throw new StepsealError('IDENTITY_NONE', 'the request names no caller', { expected: 'an attempt, a workload, or the agent itself' });
  }
}

/** An attempt that this agent opened; other agents' attempts do not exist for it. Throws ATTEMPT_UNKNOWN. */
export function ownAttempt(core: Core, agent: AgentPeer, id: string): Attempt {
  const attempt = readAttempt(core.db, id);
  if (attempt.agentId !== agent.id) throw new StepsealError('ATTEMPT_UNKNOWN', 'no such attempt of this agent', { found: id });
  return attempt;
}

/** The caller's identity of this SPIFFE ID. Throws IDENTITY_NONE. */
export function identityOf(core: Core, facts: AttestedFacts, spiffeId: string): Identity {
  const identities = core.registry.identify(facts);
  const identity = identities.find(({ id }) => id.uri === spiffeId);
  if (identity === undefined) {
    throw new StepsealError('IDENTITY_NONE', 'the caller does not have this identity', {
      expected: identities.map(({ id }) => id.uri).join(', ') || 'no identity at all',
      found: spiffeId,
    });
  }
  return identity;
}

function agentFacts(id: string): AttestedFacts {
  const [, , attestor, name] = parseSpiffeId(id).segments;
  return { kind: 'agent', attestor: attestor!, id: name! };
}
