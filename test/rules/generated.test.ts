import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './sources.ts';

test('generating from proto/ again changes nothing', () => {
  const out = mkdtempSync(join(tmpdir(), 'stepseal-gen-'));
  try {
    execFileSync(join(ROOT, 'node_modules/.bin/buf'), ['generate', '--output', join(out, 'scratch/proto')], {
      cwd: join(ROOT, 'proto'),
      env: { ...process.env, PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}` },
    });
    const files = (folder: string) => Object.fromEntries(globSync('**/*.{js,ts}', { cwd: folder }).map((path) => [path, readFileSync(join(folder, path), 'utf8')]));
    expect(files(join(out, 'scratch/src/rpc/gen'))).toEqual(files(join(ROOT, 'src/rpc/gen')));
  } finally {
    rmSync(out, { recursive: true });
  }
});
