import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** TypeScript files below a folder of the repository, generated ones left out, paths from its root. */
export function typescript(folder: string): string[] {
  return globSync(`${folder}/**/*.ts`, { cwd: ROOT }).filter((path) => !path.startsWith('src/rpc/gen/')).sort();
}

/** What git tracks. */
export function tracked(): string[] {
  const listed = execFileSync('git', ['-C', ROOT, 'ls-files', '-z'], { encoding: 'utf8' });
  return listed.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

/** Source text with comments blanked, line numbers kept. Good enough for these rules: a `//` in a string follows no space. */
export function withoutComments(source: string): string {
  return source
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[\s;{}(),])\/\/.*$/gm, '$1');
}

export interface Import {
  readonly from: string;
  readonly specifier: string;
  /** nothing is loaded while this file loads: `import type` and `import()` */
  readonly deferred: boolean;
}

const STATIC = /^\s*(import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)/g;

/** Every import and re-export of a file. */
export function importsOf(path: string): Import[] {
  const source = withoutComments(read(path));
  return [
    ...[...source.matchAll(STATIC)].map((match) => ({ from: path, specifier: match[3]!, deferred: match[2] !== undefined })),
    ...[...source.matchAll(DYNAMIC)].map((match) => ({ from: path, specifier: match[1]!, deferred: true })),
  ];
}

/** `path:line  text` of each line that matches, comments left out. */
export function linesMatching(path: string, pattern: RegExp): string[] {
  return withoutComments(read(path))
    .split('\n')
    .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}  ${line.trim()}`] : []));
}
