import { expect, test } from 'vitest';
import { seldom } from '../../../src/base/seldom.ts';

test('of what anybody can cause, twenty lines a second are logged, with the number of those left out', () => {
  let now = 0;
  const lines: object[] = [];
  const log = seldom({ now: () => now }, (fields) => void lines.push(fields));
  for (let i = 0; i < 30; i++) log({ i }, 'refused');
  expect(lines).toEqual(Array.from({ length: 20 }, (_, i) => ({ i })));
  now = 1000;
  log({}, 'refused');
  log({}, 'refused');
  expect(lines.slice(20)).toEqual([{ leftOut: 10 }, {}]);
  // set back
  for (let i = 0; i < 30; i++) log({}, 'refused');
  now = 10;
  log({}, 'refused');
  expect(lines.at(-1)).toEqual({ leftOut: 12 });
});
