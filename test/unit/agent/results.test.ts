import { describe, expect, it } from 'vitest';
import { type ObservedResult, resultsOfStep } from '../../../src/agent/observeResults.ts';
import { Problems } from '../../../src/agent/problems.ts';

type Step = readonly [name: string, results: Readonly<Record<string, string>>];

/** Steps of one TaskRun one after the other, each with the results that lie there at its end; what is said of each. */
function run(...steps: readonly Step[]): string[][] {
  const memory = { results: new Map(), artifactsFile: '' };
  return steps.map(([step, results]) => {
    const problems = new Problems();
    const observed = Object.entries(results).map(([name, sha256]): ObservedResult => ({ name, scope: 'task', type: 'string', sha256, content: undefined }));
    const own = resultsOfStep(step, observed, memory, problems).map(({ name, sha256 }) => `claims ${name}=${sha256}`);
    return [...own, ...problems.list.map(({ code, message }) => `${code}: ${message}`)];
  });
}

const overwrote = (step: string, producer: string): string => `RESULT_NOT_SIGNED_BY_PRODUCER: step ${step} overwrote result a, which step ${producer} had left`;

describe('the results of a step', () => {
  it('are those that are new', () => {
    expect(run(['one', { a: '1' }], ['two', { a: '1', b: '2' }], ['three', { a: '1', b: '2' }])).toEqual([['claims a=1'], ['claims b=2'], []]);
  });

  it('include what it wrote over an earlier step\'s, which is said of it and of no later step', () => {
    expect(run(['one', { a: '1' }], ['two', { a: '2' }], ['three', { a: '2' }])).toEqual([['claims a=1'], ['claims a=2', overwrote('two', 'one')], []]);
  });

  it('are not the first step\'s any more after it was put back: both are said', () => {
    expect(run(['one', { a: '1' }], ['two', { a: '2' }], ['three', { a: '1' }])[2]).toEqual(['claims a=1', overwrote('three', 'one')]);
  });

  it('that are gone are said of the step that removed them', () => {
    const removed = 'RESULT_NOT_SIGNED_BY_PRODUCER: step two removed result a, which step one had left';
    expect(run(['one', { a: '1' }], ['two', {}], ['three', {}])).toEqual([['claims a=1'], [removed], []]);
  });
});
