import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ROOT } from '../../rules/sources.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepseal-install-'));
  mkdirSync(join(folder, 'scripts'));
  mkdirSync(join(folder, 'bin'));
  copyFileSync(join(ROOT, 'scripts/with-node.mjs'), join(folder, 'scripts/with-node.mjs'));
  writeFileSync(join(folder, 'package-lock.json'), '{"packages":{"":{},"node_modules/a":{"integrity":"sha512-a"},"node_modules/b":{"integrity":"sha512-b","optional":true}}}');
  writeFileSync(join(folder, 'hello.mjs'), 'console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 7;');
  fakeNpm('echo run >> calls; mkdir -p node_modules');
});

afterEach(() => rmSync(folder, { recursive: true }));

function fakeNpm(script: string): void {
  writeFileSync(join(folder, 'bin/npm'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'bin/npm'), 0o755);
}

function start(...args: string[]): ChildProcess {
  const env = { PATH: `${join(folder, 'bin')}:${process.env['PATH']}` };
  return spawn(process.execPath, [join(folder, 'scripts/with-node.mjs'), ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function finish(child: ChildProcess) {
  const ended = new Promise<{ code: number | null; signal: string | null }>((done) => child.on('exit', (code, signal) => done({ code, signal })));
  const [out, err, end] = await Promise.all([text(child.stdout!), text(child.stderr!), ended]);
  return { ...end, out, err };
}

const call = (...args: string[]) => finish(start(...args));
const installs = () => (existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').split('\n').length - 1 : 0);

describe('with-node.mjs', () => {
  test('installs once, then runs the script with its arguments and passes its exit code', async () => {
    const first = await call('hello.mjs', 'a', '--b');
    expect(first).toMatchObject({ code: 7, out: '["a","--b"]\n' });
    expect(first.err).toContain('Installing what Stepseal needs, once');
    expect(await call('hello.mjs')).toMatchObject({ code: 7, err: '' });
    expect(installs()).toBe(1);
  });

  test('installs again when the lock file has changed', async () => {
    await call('hello.mjs');
    writeFileSync(join(folder, 'package-lock.json'), '{"packages":{"":{}}}\n');
    await call('hello.mjs');
    expect(installs()).toBe(2);
  });

  test('two at once install once', async () => {
    fakeNpm('echo run >> calls; sleep 0.5; mkdir -p node_modules');
    const both = await Promise.all([call('hello.mjs'), call('hello.mjs')]);
    expect(both.map(({ code }) => code)).toEqual([7, 7]);
    expect(installs()).toBe(1);
  });

  test('what npm has installed by hand is left alone', async () => {
    mkdirSync(join(folder, 'node_modules'));
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{"packages":{"node_modules/a":{"integrity":"sha512-a"}}}');
    expect(await call('hello.mjs')).toMatchObject({ code: 7, err: '' });
    expect(installs()).toBe(0);
  });

  test('what npm has installed from another lock file is not', async () => {
    mkdirSync(join(folder, 'node_modules'));
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{"packages":{"node_modules/a":{"integrity":"sha512-old"}}}');
    await call('hello.mjs');
    expect(installs()).toBe(1);
  });

  test('a failing npm is quoted, nothing is run, and the next call tries again', async () => {
    fakeNpm('echo run >> calls; echo no route to anywhere >&2; exit 3');
    const { code, out, err } = await call('hello.mjs');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('npm ci failed (exit code 3)');
    expect(err).toContain('no route to anywhere');
    await call('hello.mjs');
    expect(installs()).toBe(2);
  });

  test('the lock of an installer that was killed does not block', async () => {
    mkdirSync(join(folder, '.stepseal'));
    writeFileSync(join(folder, '.stepseal/install.lock'), `${process.pid} 1`);
    expect(await call('hello.mjs')).toMatchObject({ code: 7 });
    expect(existsSync(join(folder, '.stepseal/install.lock'))).toBe(false);
  });

  test('SIGTERM reaches the script, whose end is the exit code', async () => {
    writeFileSync(join(folder, 'wait.mjs'), "process.on('SIGTERM', () => process.exit(9)); console.log('ready'); setInterval(() => {}, 1000);");
    const child = start('wait.mjs');
    child.stdout!.once('data', () => child.kill('SIGTERM'));
    expect(await finish(child)).toMatchObject({ code: 9 });
  });

  test('a script that dies of a signal gives the exit code of a shell', async () => {
    writeFileSync(join(folder, 'die.mjs'), "process.kill(process.pid, 'SIGKILL');");
    expect(await call('die.mjs')).toMatchObject({ code: 137 });
  });
});
