import { describe, expect, test } from 'vitest';
import { type Lease, renewalTime, usable } from '../../../src/agent/lease.ts';
import { createLeases } from '../../../src/agent/leases.ts';
import { StepsealError } from '../../../src/base/errors.ts';

interface Thing extends Lease {
  readonly number: number;
}

const HOUR = 3600_000;

function bench(limit = 10) {
  let now = 1_000_000;
  let issued = 0;
  let fault: StepsealError | undefined;
  let life = HOUR;
  const leases = createLeases<Thing>({ clock: { now: () => now }, limit });
  const issue = async (): Promise<Thing> => {
    await Promise.resolve();
    if (fault !== undefined) throw fault;
    return { number: ++issued, notBefore: now, notAfter: now + life, renewAt: now + life / 2 };
  };
  return {
    leases, issue,
    get: async (key = 'a') => (await leases.get(key, issue)).number,
    move: (ms: number) => void (now += ms),
    fail: (error: StepsealError | undefined) => void (fault = error),
    live: (ms: number) => void (life = ms),
    get issued() {
      return issued;
    },
  };
}

const AWAY = new StepsealError('SERVICE_UNREACHABLE', 'away');
const DENIED = new StepsealError('IDENTITY_NONE', 'none');
const rejects = (promise: Promise<unknown>, code: string) => expect(promise).rejects.toMatchObject({ code });

describe('what is issued', () => {
  test('is kept until half of its life, then issued anew', async () => {
    const { get, move } = bench();
    expect([await get(), await get('b'), await get()]).toEqual([1, 2, 1]);
    move(HOUR / 2 - 1);
    expect(await get()).toBe(1);
    move(1);
    expect(await get()).toBe(3);
  });

  test('is issued once for all who ask at the same time', async () => {
    const { get } = bench();
    expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1]);
  });

  test('serves until its end while the server is away, which is asked again after a pause that grows', async () => {
    const here = bench();
    await here.get();
    here.move(HOUR / 2);
    here.fail(AWAY);
    expect(await here.get()).toBe(1);
    here.fail(undefined);
    expect(await here.get()).toBe(1);
    here.move(1000);
    expect(await here.get()).toBe(2);
    here.move(HOUR / 2);
    here.fail(AWAY);
    expect(await here.get()).toBe(2);
    here.move(HOUR);
    await rejects(here.get(), 'SERVICE_UNREACHABLE');
  });

  test('also serves over a fault of the server, and is gone when the server denies it', async () => {
    const here = bench();
    await here.get();
    here.move(HOUR / 2);
    here.fail(new StepsealError('INTERNAL', 'fault'));
    expect(await here.get()).toBe(1);
    here.move(1000);
    here.fail(DENIED);
    await rejects(here.get(), 'IDENTITY_NONE');
    here.fail(AWAY);
    await rejects(here.get(), 'SERVICE_UNREACHABLE');
  });

  test('is not given out by a clock that stands before its life', async () => {
    const here = bench();
    await here.get();
    here.move(-1);
    expect(await here.get()).toBe(2);
  });

  test('is not asked for in a loop where the clocks differ by more than half of its life', async () => {
    const here = bench();
    here.live(0.5);
    const value = await here.leases.get('a', async () => ({ ...(await here.issue()), notAfter: 2_000_000, renewAt: 0 }));
    expect(here.leases.due('a', value)).toBe(false);
    here.move(15_000);
    expect(here.leases.due('a', value)).toBe(true);
  });

  test('is dropped by key, and what is being issued then is not kept', async () => {
    const here = bench();
    await here.get();
    await here.get('b');
    here.leases.drop((key) => key === 'a');
    expect([await here.get('b'), await here.get()]).toEqual([2, 3]);
    const pending = here.get('c');
    here.leases.drop((key) => key === 'c');
    expect([await pending, await here.get('c')]).toEqual([4, 5]);
  });

  test('goes when there are more than the limit, the least recently used first', async () => {
    const { get } = bench(2);
    await get('a');
    await get('b');
    await get('a');
    await get('c');
    expect([await get('a'), await get('b')]).toEqual([1, 4]);
  });

  test('is due at half of its life, and out of its life at once', async () => {
    const here = bench();
    const value = await here.leases.get('a', here.issue);
    expect(here.leases.due('a', value)).toBe(false);
    here.move(HOUR / 2);
    expect(here.leases.due('a', value)).toBe(true);
    here.move(-HOUR);
    expect(here.leases.due('a', value)).toBe(true);
  });
});

test('renewal is at half of the life, a tenth of that earlier or later by chance', () => {
  const at = (fill: number): number => renewalTime({ notBefore: 0, notAfter: HOUR }, { bytes: (length) => new Uint8Array(length).fill(fill) });
  expect(at(0)).toBe(HOUR * 0.45);
  expect(Math.round(at(255))).toBe(1_980_000);
  expect(at(128)).toBeCloseTo(HOUR / 2, -5);
});

test('a life holds its first moment and not its last', () => {
  expect([9, 10, 19, 20].map((now) => usable({ notBefore: 10, notAfter: 20 }, now))).toEqual([false, true, true, false]);
});
