import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeIsolation } from '../../../src/runner/isolation.ts';
import { type RunBed, startRunBed } from '../../fakes/runner.ts';

const probed = await probeIsolation();

const task = (spec: string, name = 'demo'): string => `apiVersion: tekton.dev/v1
kind: Task
metadata: { name: ${name} }
spec:
${spec.replaceAll(/^/gm, '  ')}
`;

const modes = [
  { name: 'isolated', isolation: { isolated: true } as const, possible: probed.isolated },
  { name: 'unisolated', isolation: { isolated: false, reason: 'for the test' } as const, possible: true },
];

describe.each(modes.filter(({ possible }) => possible))('a step that is $name', ({ isolation }) => {
  let bed: RunBed;
  beforeAll(async () => {
    bed = await startRunBed(isolation);
  });
  afterAll(() => bed.close());

  it('runs scripts and commands with variables, env and a working directory, and hands results on', async () => {
    const { result, output } = await bed.run({
      params: { greeting: 'hello', flags: ['-a', 'b c'] },
      yaml: task(`
params:
  - name: greeting
  - { name: flags, type: array }
results:
  - { name: said, type: string }
stepTemplate:
  env: [{ name: SHARED, value: "of $(context.task.name)" }]
steps:
  - name: write
    results: [{ name: part }]
    env: [{ name: WHO, value: world }]
    workingDir: deep/down
    script: |
      printf %s "$(params.greeting), $WHO $SHARED" > $(results.said.path)
      printf %s secret > $(step.results.part.path)
      pwd | sed 's,.*workspace,W,'
  - name: read
    command: [sh, -c]
    args: ['printf "%s|" "$@"', sh, "$(params.flags[*])", "$(steps.write.results.part)", "$(SHARED)"]
    env: [{ name: LAST, value: "$(SHARED)!" }]
  - script: |
      #!/usr/bin/env -S sh -e
      echo "$LAST:$(cat $(results.said.path)):$(cat $(steps.step-read.exitCode.path))"
`),
    });
    expect(result).toMatchObject({ outcome: 'succeeded', reason: '', problems: [] });
    expect(output).toEqual(['W/deep/down', '-a|b c|secret|of demo|', ':hello, world of demo:0']);
    expect(bed.views.at(-1)!.taskRuns[0]!.steps.map(({ name, outcome, exitCode }) => [name, outcome, exitCode])).toEqual([
      ['write', 'succeeded', 0],
      ['read', 'succeeded', 0],
      ['unnamed-2', 'succeeded', 0],
    ]);
    expect(bed.views.at(-1)!.taskRuns[0]!.results).toMatchObject([{ name: 'said', type: 'string' }]);
  });

  it('sees a clean environment and the two sockets, which answer', async () => {
    const { output } = await bed.run({
      yaml: task(`
steps:
  - script: |
      env | cut -d= -f1 | grep -v '^_\\|^PWD\\|^SHLVL\\|^OLDPWD' | sort | tr '\\n' ' '; echo
      ls -d "\${SPIFFE_ENDPOINT_SOCKET#unix://}" "$STEPSEAL_SEAL_SOCKET" > /dev/null && echo there
      echo to-stderr | tee /dev/stderr > /dev/null
`),
    });
    expect(output.toSorted()).toEqual(['HOME PATH SPIFFE_ENDPOINT_SOCKET STEPSEAL_SEAL_SOCKET ', 'there', 'to-stderr']);
  });

  it('is a CommonJS script where it is one, whatever package the run was started in', async () => {
    mkdirSync(join(bed.folder, 'state'), { recursive: true });
    writeFileSync(join(bed.folder, 'state', 'package.json'), '{"type":"module"}');
    const { output } = await bed.run({
      options: { path: `${dirname(process.execPath)}:/usr/bin:/bin` },
      yaml: task('steps:\n  - script: |\n      #!/usr/bin/env node\n      console.log(require("node:path").sep)\n'),
    });
    expect(output).toEqual(['/']);
  });

  it('that fails ends the task, and onError: continue does not', async () => {
    const { result, events } = await bed.run({
      yaml: task(`
steps:
  - { name: tolerated, onError: continue, script: exit 3 }
  - { name: fails, script: exit 4 }
  - { name: never, script: echo no }
`),
    });
    expect(result).toMatchObject({ outcome: 'failed', reason: 'demo: Failed' });
    expect(events.filter(({ kind }) => kind.startsWith('step-')).map((event) => [event.kind, 'step' in event && event.step, 'exitCode' in event ? event.exitCode : undefined])).toEqual([
      ['step-started', 'tolerated', undefined],
      ['step-sealed', 'tolerated', undefined],
      ['step-ended', 'tolerated', 3],
      ['step-started', 'fails', undefined],
      ['step-sealed', 'fails', undefined],
      ['step-ended', 'fails', 4],
      ['step-skipped', 'never', undefined],
    ]);
    expect(bed.views.at(-1)).toMatchObject({ outcome: 'failed', taskRuns: [{ outcome: 'failed', steps: [{ outcome: 'failed', exitCode: 3 }, { outcome: 'failed', exitCode: 4 }, { outcome: 'skipped' }] }] });
  });

  it('is skipped where its when is false', async () => {
    const { output } = await bed.run({
      params: { mode: 'fast' },
      yaml: task(`
params: [{ name: mode }]
steps:
  - { name: slow, when: [{ input: "$(params.mode)", operator: notin, values: [fast] }], script: echo slow }
  - { name: fast, when: [{ input: "$(params.mode)", operator: in, values: [x, fast] }], script: echo fast }
`),
    });
    expect(output).toEqual(['fast']);
  });

  it('that takes longer than its timeout is killed, with all that it started, and fails the task', async () => {
    const { result, events } = await bed.run({
      yaml: task(`
steps:
  - { name: slow, timeout: 300ms, onError: continue, script: "sleep 60 & sleep 60" }
  - { name: next, script: echo no }
`),
    });
    expect(result.outcome).toBe('failed');
    expect(events.find(({ kind }) => kind === 'step-ended')).toMatchObject({ reason: 'timeout', exitCode: 137 });
    expect(events.filter(({ kind }) => kind === 'step-skipped')).toHaveLength(1);
  });

  it('leaves no process behind, not even one that hid in another session', async () => {
    const mark = `${9_000_000 + (process.pid % 100_000)}`;
    const { events } = await bed.run({
      yaml: task(`
steps:
  - script: |
      setsid sh -c 'sleep ${mark} & exec sleep ${mark}' > /dev/null 2>&1 &
      sleep 0.2
`),
    });
    expect(events.find(({ kind }) => kind === 'step-ended')).toMatchObject({ outcome: 'succeeded', leftovers: 2 });
    const alive = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`) && readSafely(`/proc/${name}/cmdline`).includes(mark));
    expect(alive).toEqual([]);
  });

  it('ends at once when the run is stopped', async () => {
    const stop = new AbortController();
    const run = bed.run({
      yaml: task('steps:\n  - script: echo begun; sleep 60\n'),
      options: { signal: stop.signal, onEvent: (event) => event.kind === 'output' && stop.abort(new Error('Ctrl-C')) },
    });
    await expect(run).rejects.toThrow('Ctrl-C');
  });

  it('writes to its workspaces, and an emptyDir is shared by the steps of a run', async () => {
    const directory = mkdtempSync(join(bed.folder, 'ws-'));
    const { output } = await bed.run({
      workspaces: { source: directory },
      yaml: `apiVersion: tekton.dev/v1
kind: TaskRun
metadata: { generateName: demo- }
spec:
  workspaces: [{ name: scratch, emptyDir: {} }]
  taskSpec:
    workspaces: [{ name: source }, { name: scratch }, { name: maybe, optional: true }]
    steps:
      - script: |
          echo one > $(workspaces.source.path)/out
          echo two > $(workspaces.scratch.path)/out
      - script: cat $(workspaces.scratch.path)/out; echo "$(workspaces.maybe.bound):$(workspaces.maybe.path):$(workspaces.source.bound)"
`,
    });
    expect(output).toEqual(['two', 'false::true']);
    expect(readFileSync(join(directory, 'out'), 'utf8')).toBe('one\n');
  });

  it('has its sealed files copied out only if they still are what was sealed', async () => {
    const out = mkdtempSync(join(bed.folder, 'out-'));
    // isolated, a step has a /tmp of its own
    const folder = isolation.isolated ? '/tmp' : bed.folder;
    const seal = (name: string, content: string, sealed: string): string => `
      printf %s ${content} > ${folder}/${name}
      printf '{"outputs":[{"name":"${name}","values":[{"uri":"file://${folder}/${name}","digest":{"sha256":"%s"}}]}]}' "$(printf %s ${sealed} | sha256sum | cut -d' ' -f1)" > $(step.artifacts.path)`;
    const { result } = await bed.run({
      yaml: task(`steps:\n  - name: good\n    script: |${seal('good', 'abc', 'abc')}\n  - name: bad\n    script: |${seal('bad', 'abd', 'abc')}\n`),
      options: { placeArtifact: ({ name }) => join(out, name) },
    });
    expect(readdirSync(out)).toEqual(['good']);
    expect(readFileSync(join(out, 'good'), 'utf8')).toBe('abc');
    expect(result).toMatchObject({ outcome: 'succeeded', problems: [{ code: 'ARTIFACT_CHANGED' }] });
    expect(bed.views.at(-1)!.outcome).toBe('failed');
  });

  it('is not run where the agent refuses it', async () => {
    const run = bed.run({ yaml: task('steps:\n  - { name: refused, script: echo no }\n') });
    await expect(run).rejects.toMatchObject({ code: 'ATTEMPT_EXISTS' });
    expect(readdirSync(join(bed.folder, 'state', 'runs'))).toEqual([]);
  });

  it('goes on when the agent has a problem, which takes the provenance away', async () => {
    const { result, output } = await bed.run({ yaml: task('steps:\n  - { name: problematic, script: echo 1 }\n  - { name: two, script: echo 2 }\n') });
    expect(output).toEqual(['1', '2']);
    expect(result).toMatchObject({ outcome: 'succeeded', problems: [{ code: 'RESULT_NOT_SIGNED_BY_PRODUCER' }] });
    expect(bed.views.at(-1)!.outcome).toBe('failed');
  });

  it('may not have a workspace that is hidden, does not exist, or is left by a link', async () => {
    const directory = mkdtempSync(join(bed.folder, 'ws-'));
    mkdirSync(join(bed.folder, 'state', 'inside'), { recursive: true });
    writeFileSync(join(directory, 'file'), '');
    const yaml = task('workspaces: [{ name: w }]\nsteps:\n  - script: "true"\n');
    for (const path of [join(bed.folder, 'state'), join(bed.folder, 'state', 'inside'), join(directory, 'none'), join(directory, 'file')]) {
      await expect(bed.run({ yaml, workspaces: { w: path } })).rejects.toMatchObject({ code: 'TASK_WORKSPACE_INVALID' });
    }
  });
});

function readSafely(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
