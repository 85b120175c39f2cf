import { isStepsealError, StepsealError } from '../base/errors.ts';

/**
 * What a caller is told of an error that the server gave the agent. The Workload API knows four statuses
 * (SPIFFE_Workload_API.md section 4.5): a refusal of the agent must not look like one of the caller, and a caller that
 * the server does not know has no identity.
 */
export function asCallerError(error: unknown): unknown {
  if (!isStepsealError(error)) return error;
  switch (error.code) {
    case 'AGENT_UNKNOWN':
    case 'AGENT_REQUIRED':
      return new StepsealError('AGENT_JOIN_REQUIRED', 'the server does not take this agent: it has to join anew', { cause: error });
    case 'ATTEMPT_UNKNOWN':
    // a user name, for example, that cannot stand in a SPIFFE ID: nothing is wrong with the request
    case 'SPIFFE_ID_INVALID':
      return noIdentity(error);
    default:
      return error;
  }
}

export function noIdentity(cause?: unknown): StepsealError {
  return new StepsealError('IDENTITY_NONE', 'no identity issued', { cause });
}

/** Whether the same call may succeed later: the server cannot be reached, is busy, or has a fault. */
export function isTemporary(error: unknown): boolean {
  return isStepsealError(error) && (error.kind === 'unavailable' || error.kind === 'limit' || error.kind === 'internal');
}
