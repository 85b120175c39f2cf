import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CODES } from '../../src/base/codes.ts';
import { read, ROOT } from './sources.ts';

const cells = (row: string): string[] => row.split('|').slice(1, -1).map((cell) => cell.trim());
const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
const rowsOf = (path: string): string[][] => read(path).split('\n').filter((line) => line.startsWith('| ')).slice(1).map(cells);

test.each([
  ['every way in which input goes wrong', 'docs/design/0100-bad-input.md'], ['every threat', 'docs/design/0105-threats.md'],
])('%s has a code that is known, and a test that asserts it', (_, path) => {
  const rows = rowsOf(path);
  expect(rows.length).toBeGreaterThan(25);
  const wrong = rows.flatMap((row) => {
    const [code, files] = row.slice(-2);
    const tests = quoted(files!);
    const missing = tests.filter((file) => !existsSync(join(ROOT, file)));
    const unasserted = quoted(code!).filter((name) => !Object.hasOwn(CODES, name) || !tests.some((file) => !missing.includes(file) && read(file).includes(name)));
    return tests.length === 0 || missing.length > 0 || unasserted.length > 0 ? [{ what: row[0], missing, unasserted }] : [];
  });
  expect(wrong).toEqual([]);
});
