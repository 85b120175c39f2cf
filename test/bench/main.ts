import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import type { Row } from './row.ts';

/**
 * npm run bench [-- NAME...] [--json]: every file here that exports bench(), each in a process of its own, one after
 * the other, as one table. Exits 1 when a target is missed.
 */
interface Bench {
  readonly bench?: () => Row[] | Promise<Row[]>;
}

const args = process.argv.slice(2);
const json = args.includes('--json');
const names = args.filter((arg) => !arg.startsWith('-'));

if (args[0] === '--one') {
  const { bench } = (await import(join(import.meta.dirname, args[1]!))) as Bench;
  process.stdout.write(`\n${JSON.stringify(bench === undefined ? [] : await bench())}`);
  process.exit();
}

const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.ts') && file !== 'main.ts');
const chosen = files.filter((file) => names.length === 0 || names.some((name) => file.startsWith(name))).sort();
const rows: Row[] = [];
const failed: string[] = [];
for (const file of chosen) {
  if (!json) process.stderr.write(`${file} …\n`);
  const { status, stdout } = spawnSync(process.execPath, [import.meta.filename, '--one', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status === 0) rows.push(...(JSON.parse(stdout.slice(stdout.lastIndexOf('\n') + 1)) as Row[]));
  else failed.push(file);
}

if (json) console.log(JSON.stringify({ node: process.version, cores: cpus().length, load: loadavg()[0], rows, failed }, undefined, 2));
else print(rows);
if (failed.length > 0) console.error(`these did not run to their end: ${failed.join(', ')}`);
process.exit(failed.length > 0 || rows.some((row) => row.ok === false) ? 1 : 0);

/** A ratio over the floor: 1.0 is as good as the floor, in rates as in times. */
function ratio({ value, floorValue }: Row): string {
  return floorValue === undefined ? '' : (value / floorValue).toFixed(2);
}

function print(all: readonly Row[]): void {
  const mark = (row: Row) => (row.ok === undefined ? '' : row.ok ? '✓' : '✗');
  const number = (value: number | undefined) => (value === undefined ? '' : value.toLocaleString('en', { maximumFractionDigits: 2 }));
  const table = [
    ['what', 'value', 'unit', 'floor', 'of', 'ratio', 'target', ''],
    ...all.map((row) => [row.what, number(row.value), row.unit, number(row.floorValue), row.floor ?? '', ratio(row), row.target ?? '', mark(row)]),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  const right = new Set([1, 3, 5]);
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (right.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join(' | ')} |`;
  console.log(`\nNode ${process.version}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}\n`);
  console.log(line(table[0]!));
  console.log(`|${widths.map((width, column) => (right.has(column) ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`);
  for (const cells of table.slice(1)) console.log(line(cells));
}
