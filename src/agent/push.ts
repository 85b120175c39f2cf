import type { DescMessage } from '@bufbuild/protobuf';
import { type Code, isStepsealError, StepsealError } from '../base/errors.ts';
import type { Peer } from '../attestor/peer.ts';
import type { Outgoing } from '../rpc/definition.ts';
import type { Call, Send } from '../rpc/handlers.ts';
import type { Bell } from './bell.ts';
import type { AttestedCaller, CallerOf } from './caller.ts';
import { isTemporary } from './refusals.ts';

/** Everything that a stream says, at one moment. */
export interface StreamState<O extends DescMessage> {
  readonly message: Outgoing<O>;
  /** what it is made of; unchanged objects mean an unchanged message */
  readonly parts: readonly unknown[];
  /** whether it is time to look again although nothing was rung */
  readonly due: () => boolean;
}

export interface PushPorts {
  readonly bell: Bell;
  readonly callerOf: CallerOf;
  /** ms that a caller is held before its first message */
  readonly holdMs: number;
}

/** A step that the runner is just registering looks like this for a moment. */
const MAY_CHANGE: ReadonlySet<Code> = new Set<Code>(['IDENTITY_NONE', 'CALLER_NAMESPACE', 'CALLER_OF_RUNNER']);
const RETRY_MS = 2000;

/**
 * Sends the complete state at once and again whenever it has changed, to a caller that is attested before each message.
 * Before the first one a caller without identity is held: clients that are refused come back seconds later
 * (docs/design/0092). Ends only with an error: the refusal of the caller, SVID_EXPIRED, or AGENT_STOPPED.
 */
export async function pushStates<O extends DescMessage>(call: Call<Peer>, send: Send<O>, stateOf: (caller: AttestedCaller) => Promise<StreamState<O>>, ports: PushPorts): Promise<void> {
  const { bell, callerOf } = ports;
  const holdUntil = performance.now() + ports.holdMs;
  let sent: readonly unknown[] | undefined;
  while (!call.signal.aborted) {
    const seen = bell.rung;
    if (bell.stopped) throw new StepsealError('AGENT_STOPPED', 'the agent stops');
    let due: () => boolean;
    try {
      const caller = await callerOf(call.peer);
      const state = await stateOf(caller);
      due = state.due;
      if (sent === undefined || state.parts.some((part, index) => part !== sent![index])) {
        // what was issued is for who the caller was before: it may have ended, or be another program now
        if ((await callerOf(call.peer)).key !== caller.key) continue;
        await send(state.message);
        sent = state.parts;
      }
    } catch (error) {
      if (sent !== undefined && isTemporary(error)) throw new StepsealError('SVID_EXPIRED', 'what was sent has expired, and the server cannot be reached', { cause: error });
      if (sent !== undefined || !mayChange(error) || performance.now() >= holdUntil) throw error;
      const retryAt = isTemporary(error) ? Math.min(holdUntil, performance.now() + RETRY_MS) : holdUntil;
      due = () => performance.now() >= retryAt;
    }
    await bell.next(seen, due, call.signal);
  }
}

function mayChange(error: unknown): boolean {
  return isTemporary(error) || (isStepsealError(error) && MAY_CHANGE.has(error.code));
}
