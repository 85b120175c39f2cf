import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeIsolation } from '../../../src/runner/isolation.ts';
import { type RunBed, startRunBed } from '../../fakes/runner.ts';

const probed = await probeIsolation();

const steps = (...scripts: string[]): string =>
  scripts.map((body, i) => `    - name: s${i}\n      script: |\n${body.trim().replaceAll(/^/gm, '        ')}\n`).join('');
const task = (workspaces: string, ...scripts: string[]): string =>
  `apiVersion: tekton.dev/v1\nkind: Task\nmetadata: { name: demo }\nspec:\n  workspaces: ${workspaces}\n  steps:\n${steps(...scripts)}`;

/** A program that a step's supervisor may call with all its rights: it tells what it can see of the machine. */
function plant(directory: string, names: readonly string[], secret: string, proof: string): void {
  for (const name of names) {
    writeFileSync(join(directory, name), `#!/bin/sh\n(cat ${secret} || cat /.old${secret}) > ${proof} 2>/dev/null || cat ${secret} > /.old${proof}\nexit 1\n`);
    chmodSync(join(directory, name), 0o755);
  }
}

/** System calls: mount(8) and umount(8) refuse whoever is not root by name, and root itself may not be mapped there. */
const NUMBERS = process.arch === 'x64' ? { mount: 165, umount: 166, unshare: 272 } : { mount: 40, umount: 39, unshare: 97 };
const LOCKED = `my ($workspace, $state) = @ARGV;
my ($mnt, $none, $proc) = ("/mnt", "", "/proc/sys");
sub did { my $number = shift; syscall($number, @_) == 0 ? 1 : 0 }
sub attach { my ($from, $flags) = @_; did(${NUMBERS.mount}, $from, $mnt, $none, $flags, 0) }
my $namespace = did(${NUMBERS.unshare}, 0x10020000);
my $umount = did(${NUMBERS.umount}, $state, 2);
my $sys = did(${NUMBERS.umount}, $proc, 2);
my $one = attach($workspace, 4096);
my $move = attach($state, 8192);
my $all = attach($workspace, 4096 | 16384);
my $below = "/mnt/.state";
my $inside = did(${NUMBERS.umount}, $below, 2);
my $key = -e "$state/key" || -e "/mnt/.state/key" ? 1 : 0;
print "namespace $namespace, umount $umount, proc $sys, bind $one, move $move, rbind $all, umount below it $inside, key $key\\n";
`;

describe.runIf(probed.isolated)('an isolated step that plays with its workspaces', () => {
  let bed: RunBed;
  let secret: string;
  let directory: string;
  beforeAll(async () => {
    bed = await startRunBed({ isolated: true });
    secret = join(bed.folder, 'state', 'key');
    writeFileSync(secret, 'secret\n');
  });
  afterAll(() => bed.close());
  const fresh = (): string => (directory = mkdtempSync(join(bed.folder, 'ws-')));

  it('gets no hidden folder by a link in the place of a workspace inside another one', async () => {
    mkdirSync(join(fresh(), 'x', 'out'), { recursive: true });
    const run = bed.run({
      workspaces: { src: directory, out: join(directory, 'x', 'out') },
      yaml: task('[{ name: src }, { name: out }]', `mv /workspace/src/x /workspace/src/y; mkdir /workspace/src/x; ln -s ${join(bed.folder, 'state')} /workspace/src/x/out`, 'cat /workspace/out/key'),
    });
    await expect(run).rejects.toMatchObject({ code: 'RUNNER_ISOLATION' });
  });

  it('is refused a mountPath over the programs and libraries that take its rights away', async () => {
    fresh();
    plant(directory, ['umount', 'mount', 'setpriv', 'rmdir', 'unshare', 'env'], secret, join(directory, 'proof'));
    for (const path of ['/usr/local/sbin', '/usr/local', '/usr/bin', '/etc', '/lib', '/bin']) {
      if (!existsSync(path)) continue;
      await expect(bed.run({ workspaces: { w: directory }, yaml: task(`[{ name: w, mountPath: ${path} }]`, 'true') }), path).rejects.toMatchObject({ code: 'TASK_WORKSPACE_INVALID' });
    }
    expect(existsSync(join(directory, 'proof'))).toBe(false);
  });

  it('gets nothing mounted through a link below another workspace', async () => {
    const outer = fresh();
    symlinkSync('/usr/local/sbin', join(outer, 'b'));
    const inner = fresh();
    plant(inner, ['mount', 'umount', 'mkdir', 'stat'], secret, join(inner, 'proof'));
    const run = bed.run({ workspaces: { a: outer, b: inner }, yaml: task('[{ name: a }, { name: b, mountPath: /workspace/a/b }]', 'true') });
    await expect(run).rejects.toMatchObject({ code: 'RUNNER_ISOLATION' });
    expect(existsSync(join(inner, 'proof'))).toBe(false);
  });

  it('cannot move the folders above a hidden one', async () => {
    const state = join(fresh(), 'a', 'b', '.state');
    mkdirSync(state, { recursive: true });
    const { output } = await bed.run({
      workspaces: { src: directory },
      options: { hide: [join(bed.folder, 'state'), state] },
      yaml: task('[{ name: src }]', `
set +e
cd /workspace/src
for path in a a/b a/b/.state; do mv $path moved 2>/dev/null && echo moved $path; done
touch a/x a/b/x && echo written`),
    });
    expect(output).toEqual(['written']);
  });

  it('has every mount locked in namespaces that it makes itself, and may mount no cgroup there', async () => {
    const state = join(fresh(), '.state');
    mkdirSync(state);
    writeFileSync(join(state, 'key'), 'secret');
    writeFileSync(join(directory, 'locked.pl'), LOCKED);
    const { output } = await bed.run({
      workspaces: { src: directory },
      options: { hide: [join(bed.folder, 'state'), state] },
      yaml: task('[{ name: src }]', 'perl /workspace/src/locked.pl /workspace/src /workspace/src/.state; unshare -U -C true 2>/dev/null || echo no cgroup namespace'),
    });
    expect(output).toEqual(['namespace 1, umount 0, proc 0, bind 0, move 0, rbind 1, umount below it 0, key 0', 'no cgroup namespace']);
  });

  it('inherits no descriptor of whoever started the runner', async () => {
    // Node closes the first ones itself
    const stdio = ['ignore', 'pipe', 'inherit', ...Array<'ignore'>(57).fill('ignore'), openSync(bed.folder, 'r')] as const;
    const child = spawnSync(process.execPath, [join(import.meta.dirname, '../../fakes/stepAloneProcess.ts')], { stdio: [...stdio], encoding: 'utf8' });
    expect([...new Set(child.stdout.trim().split('\n'))]).toEqual(['/dev/null']);
  });

  it('makes the runner create no folder outside a workspace by a link in a subPath', async () => {
    const elsewhere = fresh();
    symlinkSync(elsewhere, join(fresh(), 'link'));
    const yaml = `apiVersion: tekton.dev/v1
kind: Pipeline
metadata: { name: p }
spec:
  workspaces: [{ name: w }]
  tasks: [{ name: one, taskRef: { name: demo }, workspaces: [{ name: w, subPath: link/made }] }]
---
${task('[{ name: w }]', 'true')}`;
    await expect(bed.run({ workspaces: { w: directory }, yaml })).rejects.toMatchObject({ code: 'TASK_WORKSPACE_INVALID' });
    expect(existsSync(join(elsewhere, 'made'))).toBe(false);
  });
});

const modes = [{ isolated: true } as const, { isolated: false, reason: 'for the test' } as const];

describe.each(modes.filter(({ isolated }) => !isolated || probed.isolated))('what a step leaves (isolated: $isolated)', (isolation) => {
  let bed: RunBed;
  beforeAll(async () => {
    bed = await startRunBed(isolation);
  });
  afterAll(() => bed.close());

  it('cannot be more than the system takes: an argument of 200 KB is refused as what it is', async () => {
    const yaml = `apiVersion: tekton.dev/v1\nkind: Task\nmetadata: { name: demo }\nspec:\n  steps: [{ name: s, command: ["true"], args: ["${'x'.repeat(200_000)}"] }]\n`;
    await expect(bed.run({ yaml })).rejects.toMatchObject({ code: 'TASK_LIMIT' });
  });

  it('is removed, however deep the folders are and whatever their names', async () => {
    const { result } = await bed.run({
      yaml: task('[]', `
python3 -c 'import os
os.chdir(os.environ["HOME"])
for i in range(3000):
  os.mkdir("deep"); os.chdir("deep")' 2>/dev/null || { cd $HOME; i=0; while [ $i -lt 600 ]; do mkdir 0123456789 && cd 0123456789; i=$((i+1)); done; }
touch "$HOME/-rf" "$HOME/$(printf 'a\\nb')"`),
    });
    expect(result).toMatchObject({ outcome: 'succeeded', problems: [] });
    expect(readdirSync(join(bed.folder, 'state', 'runs'))).toEqual([]);
  });
});
