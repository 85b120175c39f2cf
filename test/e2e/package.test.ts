import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TABLE } from '../../src/cli/table.ts';
import { ROOT } from '../rules/sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'stepseal-package-'));
const bin = join(folder, 'app/node_modules/.bin/stepseal');
// the package asks for Node 24, which is the one that runs this
const env = { ...process.env, PATH: `${join(process.execPath, '..')}:${process.env['PATH']}` };

const run = (file: string, args: readonly string[], cwd = folder) => execFileSync(file, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const build = (name: string) => {
  run(process.execPath, [join(ROOT, 'scripts/bundle.ts'), join(folder, name)]);
  return run('npm', ['pack', '--silent', join(folder, name), '--pack-destination', folder]).trim();
};

beforeAll(() => {
  const tarball = build('dist');
  mkdirSync(join(folder, 'app'));
  writeFileSync(join(folder, 'app/package.json'), '{"type":"module"}');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, tarball)], join(folder, 'app'));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('the released package', () => {
  test('installs without a network, since it has no dependencies', () => {
    expect(readdirSync(join(folder, 'app/node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['stepseal']);
  });

  test('has the command line, with every command', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(run(bin, ['--version'])).toBe(`stepseal ${version}\n`);
    for (const { name } of TABLE) expect(run(bin, [name, '--help'])).toContain(`stepseal ${name}`);
  });

  test('has the server, which starts with a new trust domain and stops on SIGTERM', async () => {
    const args = ['server', '--data', join(folder, 'data'), '--http-port', '0', '--grpc-port', '0', '--log-level', 'silent', '--json'];
    const child = spawn(process.execPath, [join(folder, 'app/node_modules/stepseal/lib/stepseal.js'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    expect(JSON.parse(line.toString())).toMatchObject({ ready: { created: true, trustDomain: 'example.org' } });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test('has the library with its types', () => {
    const app = join(folder, 'app');
    writeFileSync(join(app, 'use.ts'), "import { verifyBundle, StepsealError } from 'stepseal';\nexport const kinds: [string, string] = [typeof verifyBundle, StepsealError.name];\nconsole.log(kinds.join());\n");
    run(join(ROOT, 'node_modules/.bin/tsc'), ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types'), 'use.ts'], app);
    expect(run(process.execPath, ['use.ts'], app)).toBe('function,StepsealError\n');
  });

  test('carries the licences of what is bundled, and the addon', () => {
    const files = readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' });
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'THIRD_PARTY_LICENSES.txt', 'lib/native/digests.json', `lib/native/stepseal-linux-${process.arch}.node`]));
    expect(readFileSync(join(folder, 'dist/THIRD_PARTY_LICENSES.txt'), 'utf8')).toContain('@grpc/grpc-js');
  });

  test('is the same bytes when it is built again', () => {
    const bytes = (name: string) => readFileSync(join(folder, name));
    const first = bytes(readdirSync(folder).find((name) => name.endsWith('.tgz'))!);
    expect(bytes(build('again')).equals(first)).toBe(true);
  });
});
