import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/** Name of a test group, with the reason when its tests are skipped. */
export function withOpenssl(name: string): string {
  return hasOpenssl ? name : `${name} (skipped: openssl is not installed)`;
}

/** stdout of openssl; a failure throws with its stderr. */
export function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
}

/** Runs with a folder that is removed afterwards. */
export function inFolder<T>(run: (path: (name: string) => string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'stepseal-openssl-'));
  try {
    return run((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
