import { Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Bell, createBell } from '../../../src/agent/bell.ts';
import type { AttestedCaller } from '../../../src/agent/caller.ts';
import { pushStates, type StreamState } from '../../../src/agent/push.ts';
import type { Peer } from '../../../src/attestor/peer.ts';
import { type Code, StepsealError } from '../../../src/base/errors.ts';
import type { X509BundlesResponseSchema } from '../../../src/rpc/gen/workload_pb.js';

type Message = typeof X509BundlesResponseSchema;

let bell: Bell;
let ending: AbortController;
/** what the stream sees of the world */
let world: { caller: () => Promise<AttestedCaller>; state: () => Promise<StreamState<Message>> };
let sent: unknown[];
let arrival: PromiseWithResolvers<void>;

beforeEach(() => {
  bell = createBell(5);
  ending = new AbortController();
  sent = [];
  arrival = Promise.withResolvers();
  world = { caller: () => Promise.resolve(caller('me')), state: () => Promise.resolve(state('one')) };
});
afterEach(() => {
  ending.abort();
  bell.stop();
});

const caller = (key: string): AttestedCaller => ({ key, attempt: undefined, caller: {} });
const state = (part: unknown, due = (): boolean => false): StreamState<Message> => ({ message: { bundles: { part: Buffer.from(String(part)) } }, parts: [part], due });
const fault = (code: Code) => (): Promise<never> => Promise.reject(new StepsealError(code, 'for the test'));

const stream = (holdMs = 60_000): Promise<void> => pushStates<Message>(
  { peer: {} as Peer, signal: ending.signal, metadata: new Metadata(), method: '/test' },
  ({ bundles }) => {
    sent.push(Buffer.from(bundles!['part']!).toString());
    arrival.resolve();
    arrival = Promise.withResolvers();
    return Promise.resolve();
  },
  () => world.state(),
  { bell, callerOf: () => world.caller(), holdMs },
);
const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe('a stream', () => {
  test('says its state at once, and again when it has changed, not when something else rang', async () => {
    const over = stream();
    await settled();
    bell.ring();
    await settled();
    expect(sent).toEqual(['one']);
    world.state = () => Promise.resolve(state('two'));
    bell.ring();
    await settled();
    expect(sent).toEqual(['one', 'two']);
    ending.abort();
    await over;
  });

  test('looks again when its state says that it is time', async () => {
    let due = false;
    world.state = () => Promise.resolve(state('one', () => due));
    void stream();
    await settled();
    world.state = () => Promise.resolve(state('two'));
    const next = arrival.promise;
    due = true;
    await next;
    expect(sent).toEqual(['one', 'two']);
  });

  test('ends when the caller is refused later: the attempt has ended', async () => {
    const over = stream();
    await settled();
    world.caller = fault('ATTEMPT_ENDED');
    bell.ring();
    await expect(over).rejects.toMatchObject({ code: 'ATTEMPT_ENDED' });
  });

  test('ends as unavailable when what it said has expired and the server is away', async () => {
    const over = stream();
    await settled();
    world.state = fault('SERVICE_UNREACHABLE');
    bell.ring();
    await expect(over).rejects.toMatchObject({ code: 'SVID_EXPIRED', kind: 'unavailable' });
  });

  test('sends nothing to a process that has become another caller since it was attested', async () => {
    const keys = ['step', 'other', 'other', 'other'];
    const asked: string[] = [];
    world.caller = () => Promise.resolve(caller(keys.shift()!));
    world.state = () => {
      asked.push('state');
      return Promise.resolve(state(asked.length));
    };
    void stream();
    await settled();
    expect(sent).toEqual(['2']);
  });

  test('ends with AGENT_STOPPED, never with OK, when the agent stops', async () => {
    const over = stream();
    await settled();
    bell.stop();
    await expect(over).rejects.toMatchObject({ code: 'AGENT_STOPPED', kind: 'unavailable' });
  });
});

describe('a caller that has nothing yet', () => {
  test.each<Code>(['IDENTITY_NONE', 'CALLER_NAMESPACE', 'CALLER_OF_RUNNER', 'SERVICE_UNREACHABLE'])('is held after %s and served when something has changed', async (code) => {
    world.caller = fault(code);
    void stream();
    await settled();
    expect(sent).toEqual([]);
    world.caller = () => Promise.resolve(caller('me'));
    bell.ring();
    await settled();
    expect(sent).toEqual(['one']);
  });

  test('is refused with the reason when nothing comes in time', async () => {
    world.state = fault('IDENTITY_NONE');
    await expect(stream(20)).rejects.toMatchObject({ code: 'IDENTITY_NONE', kind: 'denied' });
  });

  test.each<Code>(['ATTEMPT_ENDED', 'PEER_GONE', 'PERSON_ROAD_CLOSED', 'WORKLOAD_REQUEST'])('is refused at once after %s: waiting would change nothing', async (code) => {
    world.caller = fault(code);
    await expect(stream()).rejects.toMatchObject({ code });
  });
});
