import { describe, expect, test } from 'vitest';
import { read, typescript } from './sources.ts';

const lines = (path: string) => read(path).split('\n').length - 1;
const at = (sorted: readonly number[], share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

describe('size of files', () => {
  test('none has more than 500 lines', () => {
    const long = ['src', 'test', 'scripts'].flatMap(typescript).filter((path) => lines(path) > 500);
    expect(long.map((path) => `${path}: ${lines(path)} lines`)).toEqual([]);
  });

  test('19 of 20 source files have at most 350 lines', () => {
    const sizes = typescript('src').map(lines).sort((a, b) => a - b);
    console.log(`src: ${sizes.length} files, lines: median ${at(sizes, 0.5)}, p95 ${at(sizes, 0.95)}, max ${sizes.at(-1)}`);
    expect(at(sizes, 0.95)).toBeLessThanOrEqual(350);
  });
});
