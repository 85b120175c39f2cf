import { setImmediate } from 'node:timers/promises';

/** Items of some 0.2 ms each, so that nobody waits long for the event loop. */
const SLICE = 64;

/** `use` of each item in order; whoever else this process serves has its turn in between. */
export async function inSlices<T, R>(items: readonly T[], use: (item: T, index: number) => R | Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const [index, item] of items.entries()) {
    if (index % SLICE === SLICE - 1) await setImmediate();
    results.push(await use(item, index));
  }
  return results;
}
