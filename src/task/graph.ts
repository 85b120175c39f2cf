import { StepsealError } from '../base/errors.ts';

/**
 * Order in which every name comes after the names it needs; among those that may come next, the order given.
 * Throws PIPELINE_CYCLE naming `place` and one cycle.
 */
export function order(needs: ReadonlyMap<string, readonly string[]>, place: string): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): void => {
    if (done.has(name)) return;
    const start = path.indexOf(name);
    if (start >= 0) {
      throw new StepsealError('PIPELINE_CYCLE', `${place}: tasks wait for each other`, { found: [...path.slice(start), name].join(' → ') });
    }
    path.push(name);
    for (const need of needs.get(name)!) visit(need);
    path.pop();
    done.add(name);
  };
  for (const name of needs.keys()) visit(name);
  return [...done];
}
