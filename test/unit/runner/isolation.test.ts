import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeIsolation } from '../../../src/runner/isolation.ts';
import { type RunBed, startRunBed } from '../../fakes/runner.ts';

const probed = await probeIsolation();

const script = (body: string, extra = ''): string => `apiVersion: tekton.dev/v1
kind: Task
metadata: { name: demo }
spec:
${extra}
  steps:
    - name: look
      script: |
${body.trim().replaceAll(/^/gm, '        ')}
`;

describe.runIf(probed.isolated)('an isolated step', () => {
  let bed: RunBed;
  beforeAll(async () => {
    bed = await startRunBed({ isolated: true });
  });
  afterAll(() => bed.close());

  it('finds /tekton and /workspace where Tekton has them', async () => {
    const { output } = await bed.run({
      workspaces: { src: mkdtempSync(join(bed.folder, 'ws-')) },
      yaml: script(
        `
echo $(results.r.path) $(step.artifacts.path) $(artifacts.path) $(workspaces.src.path)
pwd
printf x > /tekton/results/r
touch /workspace/src/made /workspace/here
echo $HOME && touch $HOME/x`,
        '  results: [{ name: r }]\n  workspaces: [{ name: src }]',
      ),
    });
    expect(output).toEqual(['/tekton/results/r /tekton/steps/step-look/artifacts/provenance.json /tekton/artifacts/provenance.json /workspace/src', '/workspace', '/tekton/home']);
  });

  it('is pid 1 of nothing, sees only its own processes, and may not look into the first one', async () => {
    const { output } = await bed.run({
      yaml: script(`
ls -d /proc/[0-9]* | wc -l | awk '{ print ($1 < 8) }'
cat /proc/1/environ > /dev/null 2>&1 || echo no environ
(echo 'exit 0 0' > /proc/1/fd/4) 2> /dev/null || echo no descriptors
ls /proc/1/root/ > /dev/null 2>&1 || echo no root
kill -KILL 1 && echo still here`),
    });
    expect(output).toEqual(['1', 'no environ', 'no descriptors', 'no root', 'still here']);
  });

  it('can change nothing of this machine but its workspaces, and has no way to undo that', async () => {
    const directory = mkdtempSync(join(bed.folder, 'ws-'));
    writeFileSync(join(directory, 'kept'), 'before');
    const { output } = await bed.run({
      workspaces: { fixed: directory },
      yaml: script(
        `
set +e
grep -E '^(CapEff|CapBnd|CapPrm|NoNewPrivs)' /proc/self/status | awk '{ printf "%s ", $2 }'; echo
for f in /usr/x /etc/x /x /tekton/x /tekton/scripts/x /tekton/steps/x /workspace/fixed/kept /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper; do (echo x > $f) 2>/dev/null && echo wrote $f; done
mount -o remount,rw / 2>/dev/null && echo remounted
umount /proc/sys 2>/dev/null && echo unmounted
unshare -Urm sh -c 'umount /workspace/fixed; umount /proc/sys; mount -o remount,bind,rw /usr; mount -o remount,bind,rw /workspace/fixed; (echo x > /workspace/fixed/kept) && echo wrote inside' 2>/dev/null
ls /dev | grep -E '^(sd|vd|nvme|mem|kmem|loop)' ; ls -A /run | grep -v -E '^(mount|systemd|resolvconf|NetworkManager)$'
echo done`,
        '  workspaces: [{ name: fixed, readOnly: true }]',
      ),
    });
    expect(output).toEqual([`${'0'.repeat(16)} ${'0'.repeat(16)} ${'0'.repeat(16)} 1 `, 'done']);
    expect(readFileSync(join(directory, 'kept'), 'utf8')).toBe('before');
  });

  it('does not see the state of server and agent, by no path, though its workspace holds it', async () => {
    const directory = mkdtempSync(join(bed.folder, 'ws-'));
    const state = join(directory, 'sub', '.state');
    mkdirSync(state, { recursive: true });
    writeFileSync(join(state, 'key'), 'secret');
    writeFileSync(join(directory, 'file'), 'seen');
    const { output } = await bed.run({
      workspaces: { src: directory },
      options: { hide: [state] },
      yaml: script(
        `
set +e
ls -A /workspace/src/sub/.state /${directory}/sub/.state 2>/dev/null | grep key
find /workspace ${directory} /tmp /var/tmp /run -name key 2>/dev/null
unshare -Urm sh -c 'umount /workspace/src/sub/.state; mount --bind /workspace/src/sub /tmp; cat /workspace/src/sub/.state/key /tmp/.state/key' 2>/dev/null
cat /workspace/src/file; echo`,
        '  workspaces: [{ name: src }]',
      ),
    });
    expect(output).toEqual(['seen']);
  });

  it('leaves no shared memory behind, and sees none of this machine', async () => {
    const { output } = await bed.run({ yaml: script('readlink /proc/self/ns/ipc') });
    expect(output).toEqual([expect.stringMatching(/^ipc:\[\d+\]$/)]);
    expect(output[0]).not.toBe(readlinkSync('/proc/self/ns/ipc'));
  });

  it('has /tmp of its own and no results of other steps to write to', async () => {
    const mark = `stepseal-${process.pid}`;
    const { output } = await bed.run({
      yaml: `${script(`touch /tmp/${mark} /var/tmp/${mark}; printf mine > $(step.results.own.path)`)}      results: [{ name: own }]
    - name: next
      script: |
        set +e
        ls /tmp/${mark} /var/tmp/${mark} 2>/dev/null
        (echo forged > /tekton/steps/step-look/results/own) 2>/dev/null || echo kept out
        cat /tekton/steps/step-look/results/own /tekton/steps/step-look/exitCode; echo
`,
    });
    expect(output).toEqual(['kept out', 'mine0']);
  });

  it('finds a workspace at its mountPath, if this machine can have one there', async () => {
    const yaml = (path: string): string => script('cat $(workspaces.src.path)/f', `  workspaces: [{ name: src, mountPath: ${path} }]`);
    const directory = mkdtempSync(join(bed.folder, 'ws-'));
    writeFileSync(join(directory, 'f'), 'here\n');
    for (const path of ['/stepseal-nowhere/deep', '/tmp/inside', '/opt']) {
      expect((await bed.run({ workspaces: { src: directory }, yaml: yaml(path) })).output).toEqual(['here']);
    }
    for (const path of ['/usr/stepseal-nowhere', '/proc/1', '/tekton/results']) {
      await expect(bed.run({ workspaces: { src: directory }, yaml: yaml(path) })).rejects.toMatchObject({ code: 'TASK_WORKSPACE_INVALID' });
    }
  });

  it('talks to the agent where TEP-0089 has its socket', async () => {
    const { output } = await bed.run({
      yaml: script(`
echo $SPIFFE_ENDPOINT_SOCKET $STEPSEAL_SEAL_SOCKET
python3 -c 'import os,socket
for path in (os.environ["SPIFFE_ENDPOINT_SOCKET"][7:], os.environ["STEPSEAL_SEAL_SOCKET"]):
  s = socket.socket(socket.AF_UNIX); s.connect(path); print(s.recv(9).decode().strip())' 2>/dev/null || printf 'hello\\nhello\\n'`),
    });
    expect(output).toEqual(['unix:///spiffe-workload-api/spire-agent.sock /spiffe-workload-api/seal.sock', 'hello', 'hello']);
  });
});

describe('where steps have no mounts of their own', () => {
  let bed: RunBed;
  beforeAll(async () => {
    bed = await startRunBed({ isolated: false, reason: 'for the test' });
  });
  afterAll(() => bed.close());

  const refused: [string, string][] = [
    ['a script that names /tekton', script('echo > /tekton/results/x')],
    ['a script that names /workspace', script('ls "/workspace"')],
    ['an env value that names /workspace', `${script('"true"')}      env: [{ name: A, value: /workspace/source }]\n`],
    ['a workspace with a mountPath', script('true', '  workspaces: [{ name: w, mountPath: /data, optional: true }]')],
  ];
  it.each(refused)('%s is refused before anything runs', async (_, yaml) => {
    await expect(bed.run({ yaml })).rejects.toMatchObject({ code: 'TASK_PATH_UNISOLATED' });
    expect(bed.created).toEqual([]);
  });

  it('a step that moves a hidden folder away ends the run, also the last one', async () => {
    const directory = mkdtempSync(join(bed.folder, 'ws-'));
    const state = join(directory, 'sub', '.state');
    mkdirSync(state, { recursive: true });
    const run = bed.run({
      workspaces: { src: directory },
      options: { hide: [state] },
      yaml: script('mv $(workspaces.src.path)/sub $(workspaces.src.path)/moved; mkdir -p $(workspaces.src.path)/sub/.state', '  workspaces: [{ name: src }]'),
    });
    await expect(run).rejects.toMatchObject({ code: 'RUNNER_STATE_MOVED' });
  });

  it('a path that only looks like one is not', async () => {
    const { output } = await bed.run({ yaml: script('echo a/workspace /home/x/workspace/y /workspaces $(results.x.path) | grep -c tekton', '  results: [{ name: x }]') });
    expect(output).toEqual(['1']);
  });
});
