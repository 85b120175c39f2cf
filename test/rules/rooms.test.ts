import { readdirSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importsOf, ROOT, typescript, type Import } from './sources.ts';

/** docs/design/0001-rooms.md: a room imports lower floors, and on its own floor only what stands left of it. */
const FLOORS = [
  ['base'],
  ['der', 'merkle', 'spiffe', 'x509', 'envelope', 'task'],
  ['provenance', 'verifier', 'ca', 'log', 'tsa', 'registry', 'trust'],
  ['keys', 'store', 'rpc', 'http'],
  ['attestor', 'signer', 'agent', 'server', 'runner'],
  ['cli'],
];

/** The floors that are functions of bytes: no I/O, so none of Node's modules but these. */
const PURE = 2;
const PURE_BUILTINS = new Set(['node:crypto', 'node:util', 'node:buffer']);

const place = new Map(FLOORS.flatMap((rooms, floor) => rooms.map((room, column) => [room, { floor, column }] as const)));

const files = typescript('src');
const roomOf = (path: string) => path.split('/')[1]!;
const inside = (path: string) => path.split('/').length > 2;
const target = ({ from, specifier }: Import) => (specifier.startsWith('.') ? normalize(join(from, '..', specifier)) : undefined);

describe('rooms', () => {
  test('every folder of src is a known room', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(folders.filter((name) => !place.has(name))).toEqual([]);
  });

  test('a room imports only lower floors and what stands left on its own', () => {
    const wrong = files.filter(inside).flatMap(importsOf).flatMap((each) => {
      const path = target(each);
      if (path === undefined) return [];
      if (!path.startsWith('src/') || !inside(path)) return path === 'package.json' && roomOf(each.from) === 'cli' ? [] : [`${each.from} imports ${path}`];
      const [mine, theirs] = [place.get(roomOf(each.from)), place.get(roomOf(path))];
      if (mine === undefined || theirs === undefined || roomOf(each.from) === roomOf(path)) return [];
      const allowed = theirs.floor < mine.floor || (theirs.floor === mine.floor && theirs.column < mine.column);
      return allowed ? [] : [`${each.from} imports ${path}`];
    });
    expect(wrong).toEqual([]);
  });

  test('the library exports pure rooms only', () => {
    const wrong = files.filter((path) => !inside(path)).flatMap(importsOf).filter((each) => {
      const path = target(each);
      return path === undefined || (place.get(roomOf(path))?.floor ?? 9) > PURE;
    });
    expect(wrong).toEqual([]);
  });

  test('floors 0 to 2 do no I/O', () => {
    const wrong = files
      .filter((path) => inside(path) && (place.get(roomOf(path))?.floor ?? 9) <= PURE)
      .flatMap(importsOf)
      .filter(({ specifier }) => specifier.startsWith('node:') && !PURE_BUILTINS.has(specifier));
    expect(wrong.map(({ from, specifier }) => `${from} imports ${specifier}`)).toEqual([]);
  });

  test('imports of our own files end in .ts, except generated ones', () => {
    const wrong = files.flatMap(importsOf).filter((each) => {
      const path = target(each);
      return path !== undefined && !/\.ts$|^src\/rpc\/gen\/.*\.js$|^package\.json$/.test(path);
    });
    expect(wrong.map(({ from, specifier }) => `${from} imports ${specifier}`)).toEqual([]);
  });

  test('no file imports itself over others', () => {
    const edges = new Map(files.map((path) => [path, importsOf(path).filter((each) => !each.deferred).map(target).filter((to) => to !== undefined)]));
    expect(cycles(edges)).toEqual([]);
  });
});

function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path].join(' → '));
    if (start >= 0 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}
