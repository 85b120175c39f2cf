import { setTimeout as sleep } from 'node:timers/promises';
import { equalBytes } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { asServerIdentity, connectServer } from './connect.ts';
import { joinByToken, renewIdentity } from './join.ts';
import { usable } from './lease.ts';
import type { AgentLimits, AgentOptions, AgentPorts } from './options.ts';
import { type AgentIdentity, type AgentState, readState, writeIdentity, writeTrust } from './state.ts';
import { readTrust, type Trust } from './trust.ts';

type Ports = Pick<AgentPorts, 'clock' | 'log'>;
type Options = Pick<AgentOptions, 'data' | 'server' | 'trustBundle' | 'trustDomain' | 'joinToken'>;

/** The server says these of an agent that it does not, or no longer, take. */
const REFUSES_AGENT = new Set(['AGENT_UNKNOWN', 'AGENT_REQUIRED']);

/**
 * Who this agent is: what an earlier start left, where that is valid and the server (asked only when there is a token to
 * use otherwise) still takes it; else it joins. Throws TRUST_DOMAIN_CA_MISMATCH, AGENT_JOIN_REQUIRED, AGENT_STATE_INVALID,
 * SERVICE_UNREACHABLE, SERVER_IDENTITY, what joining throws.
 */
export async function openIdentity(options: Options, ports: Ports, limits: AgentLimits): Promise<AgentState> {
  const given = options.trustBundle && readTrust(options.trustBundle);
  const kept = await readState(options.data);
  const found = (given ?? kept?.trust)?.trustDomain;
  if (options.trustDomain !== undefined && found !== undefined && found !== options.trustDomain) {
    throw new StepsealError('TRUST_DOMAIN_CA_MISMATCH', 'the bundle is of another trust domain', { expected: options.trustDomain, found });
  }
  const reason = kept === undefined ? 'this agent has not joined yet' : whyNot(kept, given, ports);
  if (kept !== undefined && reason === undefined) {
    const renewed = options.joinToken === undefined ? kept.identity : await stillTaken(kept, options, ports);
    if (renewed !== undefined) return { ...kept, identity: renewed };
  }
  return join(reason ?? 'the server does not know this agent', given ?? kept?.trust, options, ports, limits);
}

function whyNot({ identity, trust }: AgentState, given: Trust | undefined, { clock }: Ports): string | undefined {
  if (given !== undefined && given.trustDomain !== trust.trustDomain) return `this agent joined ${trust.trustDomain}, the bundle is of ${given.trustDomain}`;
  // roots are replaced one after the other: no common one means another installation of the same name
  if (given !== undefined && !given.roots.some(({ der }) => trust.roots.some((root) => equalBytes(root.der, der)))) {
    return 'this agent joined a server with other roots than the bundle has';
  }
  return usable(identity, clock.now()) ? undefined : 'the SVID of this agent is not valid now';
}

/** The identity, renewed; undefined where the server refuses it. A server that does not answer is no reason to join anew. */
async function stillTaken({ identity, trust }: AgentState, { data, server }: Options, { clock, log }: Ports): Promise<AgentIdentity | undefined> {
  const connection = connectServer(server, identity, trust, clock);
  try {
    const renewed = await renewIdentity(connection, trust, clock);
    await writeIdentity(data, renewed);
    return renewed;
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    if (REFUSES_AGENT.has(error.code)) return undefined;
    log.warn({ error: error.code }, 'the server cannot be asked about this agent; it goes on with what it has');
    return identity;
  } finally {
    connection.close();
  }
}

async function join(reason: string, trust: Trust | undefined, { data, server, joinToken }: Options, { clock, log }: Ports, limits: AgentLimits): Promise<AgentState> {
  if (trust === undefined || joinToken === undefined) {
    throw new StepsealError('AGENT_JOIN_REQUIRED', reason, { expected: 'a join token, and at first contact the trust bundle of the server' });
  }
  const identity = await untilReached(limits, async () => {
    const connection = connectServer(server, undefined, trust, clock);
    try {
      return await joinByToken(connection, joinToken, trust, clock);
    } catch (error) {
      throw asServerIdentity(error);
    } finally {
      connection.close();
    }
  });
  // this order: an identity without its bundle would be a damaged folder
  await writeTrust(data, trust);
  await writeIdentity(data, identity);
  log.info({ agent: identity.id }, 'joined');
  return { identity, trust };
}

/** Agent and server are often started at the same moment; nothing but an unanswered connection is tried again. */
async function untilReached<T>({ joinWaitMs, backoffMs }: AgentLimits, attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + joinWaitMs;
  for (let pause = backoffMs.first; ; pause = Math.min(pause * 2, backoffMs.longest)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isStepsealError(error) || error.code !== 'SERVICE_UNREACHABLE' || performance.now() + pause > until) throw error;
    }
    await sleep(pause);
  }
}

