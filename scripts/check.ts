import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** npm run check: types, lint with types, dead code. The rules of the repository itself are tests (test/rules). */
const root = join(import.meta.dirname, '..');
const CHECKS: readonly (readonly [name: string, tool: string, ...args: string[]])[] = [
  ['types', 'tsc', '-p', '.'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings', '-f', 'unix', 'src', 'scripts', 'test', 'vitest.config.ts'],
  ['dead code', 'knip', '--no-progress'],
];

// the tools are scripts for whatever `node` is in PATH; a log keeps no escapes
const own = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
const env = process.stdout.isTTY ? own : { ...own, NO_COLOR: '1', FORCE_COLOR: undefined };
const only = process.argv.slice(2);
let failed = 0;
for (const [name, tool, ...args] of CHECKS) {
  if (only.length > 0 && !only.includes(tool)) continue;
  const path = join(root, 'node_modules/.bin', tool);
  if (!existsSync(path)) throw new Error(`${tool} is not installed; npm install leaves it out where it has no build for this machine`);
  const began = Date.now();
  const { status, stdout, stderr } = spawnSync(path, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  if (status === 0) console.log(`✓ ${name} (${seconds} s)`);
  else {
    failed++;
    console.log(`✗ ${name} (${seconds} s)\n${stdout}${stderr}`);
  }
}
process.exit(failed > 0 ? 1 : 0);
