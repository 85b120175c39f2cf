import { StepsealError } from '../../src/base/errors.ts';
import type { LogStorage } from '../../src/log/storage.ts';

export type Operation = 'head' | 'commit' | 'lookup' | 'publish' | 'extendTail' | 'dropTail' | 'writeCheckpoint' | 'sweep';

/** Fails one call, after its effect or instead of it. */
export interface Fault {
  readonly operation: Operation;
  readonly effect: 'happened' | 'did not happen';
  /** 1 for the next call */
  readonly call: number;
}

export interface FaultyStorage extends LogStorage {
  /** Arms one fault; the count of calls begins now. */
  arm(fault: Fault): void;
  fired(): boolean;
  readonly calls: Record<Operation, number>;
}

/** A storage whose next calls can be made to fail with STORE_FAILED. */
export function faultyStorage(inner: LogStorage): FaultyStorage {
  let armed: { fault: Fault; left: number } | undefined;
  let fired = false;
  const calls: Record<Operation, number> = { head: 0, commit: 0, lookup: 0, publish: 0, extendTail: 0, dropTail: 0, writeCheckpoint: 0, sweep: 0 };

  async function call<T>(operation: Operation, body: () => Promise<T>): Promise<T> {
    calls[operation]++;
    if (armed?.fault.operation !== operation || --armed.left > 0) return body();
    const { effect } = armed.fault;
    armed = undefined;
    fired = true;
    if (effect === 'happened') await body();
    throw new StepsealError('STORE_FAILED', `injected into ${operation}; the effect ${effect}`);
  }

  return {
    ...inner,
    calls,
    arm(fault) {
      armed = { fault, left: fault.call };
      fired = false;
    },
    fired: () => fired,
    head: () => call('head', () => inner.head()),
    commit: (...args) => call('commit', () => inner.commit(...args)),
    lookup: (...args) => call('lookup', () => inner.lookup(...args)),
    publish: (...args) => call('publish', () => inner.publish(...args)),
    extendTail: (...args) => call('extendTail', () => inner.extendTail(...args)),
    dropTail: (...args) => call('dropTail', () => inner.dropTail(...args)),
    writeCheckpoint: (...args) => call('writeCheckpoint', () => inner.writeCheckpoint(...args)),
    sweep: (...args) => call('sweep', () => inner.sweep(...args)),
  };
}
