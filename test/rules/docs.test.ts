import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { read, ROOT, tracked } from './sources.ts';

const pages = tracked().filter((path) => path.endsWith('.md'));

describe('documents', () => {
  test('link to files that are there', () => {
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1]!)
        .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(ROOT, dirname(page), link)))
        .map((link) => `${page} → ${link}`),
    );
    expect(broken).toEqual([]);
  });

  test('design decisions have a number each and say what was rejected', () => {
    const decisions = pages.filter((path) => path.startsWith('docs/design/'));
    const numbers = decisions.map((path) => /^docs\/design\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1] ?? path);
    expect(numbers.filter((number, i) => numbers.indexOf(number) !== i)).toEqual([]);
    expect(decisions.filter((path) => !/reject|instead/i.test(read(path)))).toEqual([]);
  });
});
