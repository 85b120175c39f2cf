import { describe, expect, test } from 'vitest';
import { CODES } from '../../src/base/codes.ts';
import { read, typescript } from './sources.ts';

/** Group → codes, as codes.ts lists them under its comments. */
function groupsOfSource(): Map<string, string[]> {
  const source = read('src/base/codes.ts');
  const groups = new Map<string, string[]>();
  let codes: string[] = [];
  for (const line of source.slice(source.indexOf('export const CODES')).split('\n')) {
    const group = /^ {2}\/\/ (\S.*)$/.exec(line)?.[1];
    if (group !== undefined) groups.set(group, (codes = groups.get(group) ?? []));
    const code = /^ {2}([A-Z0-9_]+):/.exec(line)?.[1];
    if (code !== undefined) codes.push(code);
  }
  return groups;
}

/** Section → rows of docs/errors.md. */
function sectionsOfPage(): Map<string, string[][]> {
  const sections = new Map<string, string[][]>();
  for (const text of read('docs/errors.md').split(/^## /m).slice(1)) {
    const rows = text.split('\n').filter((line) => /^\| [A-Z0-9_]+ \|/.test(line));
    const name = text.split('\n')[0]!.trim();
    sections.set(name, [...(sections.get(name) ?? []), ...rows.map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim()))]);
  }
  return sections;
}

const asObject = (groups: Map<string, string[]>) => Object.fromEntries([...groups].map(([name, codes]) => [name, codes.toSorted()]));

describe('error codes', () => {
  test('codes.ts and docs/errors.md name the same codes in the same groups', () => {
    const explained = new Map([...sectionsOfPage()].map(([name, rows]) => [name, rows.map(([code]) => code!)]));
    expect(asObject(explained)).toEqual(asObject(groupsOfSource()));
  });

  test('a code stands once, in the order of the alphabet inside its group', () => {
    const groups = groupsOfSource();
    expect([...groups.values()].flat().toSorted()).toEqual(Object.keys(CODES).toSorted());
    for (const [name, codes] of groups) expect({ name, codes }).toEqual({ name, codes: codes.toSorted() });
  });

  test('each says what it means and what to do', () => {
    for (const rows of sectionsOfPage().values()) for (const [code, meaning, advice, ...rest] of rows) {
      expect({ code, meaning: (meaning ?? '').length > 10, advice: (advice ?? '').length > 5, rest }).toEqual({ code, meaning: true, advice: true, rest: [] });
    }
  });

  test('each is used', () => {
    const sources = typescript('src').filter((path) => path !== 'src/base/codes.ts').map(read).join('\n');
    expect(Object.keys(CODES).filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
  });
});
