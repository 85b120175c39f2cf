import { utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import type { Clock } from '../base/ports.ts';
import type { Connection } from '../rpc/client.ts';
import { Agent } from '../rpc/gen/spire/api/server/agent/v1/agent_pb.js';
import type { X509SVID } from '../rpc/gen/spire/api/types/types_pb.js';
import { checkIssued } from './issued.ts';
import { csrOf, freshKey, type FreshKey } from './key.ts';
import { type AgentIdentity, agentIdentity } from './state.ts';
import type { Trust } from './trust.ts';

const CALL_MS = 15_000;

/**
 * Joins by a one-time token: AttestAgent with the key made here. Throws what the server refuses with (JOIN_TOKEN_*),
 * SERVICE_UNREACHABLE, SERVER_ANSWER_INVALID, AGENT_IDENTITY.
 */
export async function joinByToken(connection: Connection, token: string, trust: Trust, clock: Clock): Promise<AgentIdentity> {
  const key = await freshKey();
  const call = connection.stub(Agent).attestAgent({ timeoutMs: CALL_MS });
  call.send({ step: { case: 'params', value: { data: { type: 'join_token', payload: utf8(token) }, params: { csr: await csrOf(key) } } } });
  const answer = await call.receive();
  call.end();
  if (answer?.step.case !== 'result') {
    throw new StepsealError('SERVER_ANSWER_INVALID', 'the server did not answer the join', { expected: 'a result', found: answer?.step.case ?? 'the end' });
  }
  return certified(key, answer.step.value.svid, trust, clock);
}

/** A new key and SVID for the agent of this connection: RenewAgent. */
export async function renewIdentity(connection: Connection, trust: Trust, clock: Clock): Promise<AgentIdentity> {
  const key = await freshKey();
  const { svid } = await connection.stub(Agent).renewAgent({ params: { csr: await csrOf(key) } }, { timeoutMs: CALL_MS });
  return certified(key, svid, trust, clock);
}

function certified(key: FreshKey, svid: X509SVID | undefined, trust: Trust, clock: Clock): AgentIdentity {
  const chain = svid?.certChain ?? [];
  checkIssued(chain, key.spki, trust, clock.now());
  const identity = agentIdentity(key.pkcs8, chain);
  if (!identity.id.startsWith(`spiffe://${trust.trustDomain}/spire/agent/`)) {
    throw new StepsealError('AGENT_IDENTITY', 'the server gave this agent a name that is no agent\'s', { expected: `spiffe://${trust.trustDomain}/spire/agent/…`, found: identity.id });
  }
  return identity;
}
