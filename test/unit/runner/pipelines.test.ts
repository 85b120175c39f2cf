import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeIsolation } from '../../../src/runner/isolation.ts';
import { type RunBed, startRunBed } from '../../fakes/runner.ts';

const isolation = await probeIsolation();
const root = join(import.meta.dirname, '../../..');

const pipeline = (tasks: string): string => `apiVersion: tekton.dev/v1
kind: Pipeline
metadata: { name: demo }
spec:
${tasks.replaceAll(/^/gm, '  ')}
`;

describe('a pipeline', () => {
  let bed: RunBed;
  beforeAll(async () => {
    bed = await startRunBed(isolation);
  });
  afterAll(() => bed.close());

  const statuses = (): (readonly [string, string, string])[] => bed.views.at(-1)!.taskRuns.map(({ pipelineTask, outcome, reason }) => [pipelineTask, outcome, reason]);

  it('of the examples hands results on and ends with finally', async () => {
    const { result, output, events } = await bed.run({
      yaml: readFileSync(join(root, 'tekton/examples/pipeline.yaml'), 'utf8'),
      workspaces: { source: join(root, 'tekton/examples') },
      params: { files: ['pipeline.yaml', 'release.yaml'] },
    });
    const [first, second] = ['pipeline.yaml', 'release.yaml'].map((name) => readFileSync(join(root, 'tekton/examples', name), 'utf8').split('\n').length - 1) as [number, number];
    expect(output).toEqual([`${first + second} lines in 2 files: ${first} ${second}`, 'count: Succeeded, measured: Succeeded']);
    expect(result).toMatchObject({ outcome: 'succeeded', results: { lines: String(first + second) } });
    expect(events.flatMap((event) => (event.kind === 'task-started' ? [event.pipelineTask] : []))).toEqual(['measure', 'report', 'close']);
  });

  it('stops where a task fails, skips what has not begun, and runs finally with what became of it', async () => {
    const { result, output } = await bed.run({
      yaml: pipeline(`
tasks:
  - { name: bad, taskSpec: { steps: [{ script: exit 7 }] } }
  - { name: later, runAfter: [bad], taskSpec: { steps: [{ script: echo no }] } }
finally:
  - name: last
    params: [{ name: s, value: "$(tasks.status) $(tasks.bad.status)/$(tasks.bad.reason) $(tasks.later.status)" }]
    taskSpec: { params: [{ name: s }], steps: [{ command: [echo, "$(params.s)"] }] }
`),
    });
    expect(output).toEqual(['Failed Failed/Failed None']);
    expect(result).toMatchObject({ outcome: 'failed', reason: 'bad: Failed' });
    expect(statuses()).toEqual([
      ['bad', 'failed', 'Failed'],
      ['later', 'skipped', 'PipelineRun was stopping'],
      ['last', 'succeeded', ''],
    ]);
  });

  it('goes on after a failure that onError ignores, with the results that were written', async () => {
    const { result, output } = await bed.run({
      yaml: pipeline(`
tasks:
  - name: bad
    onError: continue
    taskSpec:
      results: [{ name: r }, { name: none }]
      steps: [{ script: "printf got > $(results.r.path); exit 1" }]
  - { name: uses, params: [{ name: r, value: "$(tasks.bad.results.r)" }], taskSpec: { params: [{ name: r }], steps: [{ command: [echo, "$(params.r)"] }] } }
  - { name: lacks, onError: continue, params: [{ name: r, value: "$(tasks.bad.results.none)" }], taskSpec: { params: [{ name: r }], steps: [{ command: [echo] }] } }
`),
    });
    expect(output).toEqual(['got']);
    expect(result.outcome).toBe('succeeded');
    expect(statuses()).toEqual([
      ['bad', 'failed', 'FailureIgnored'],
      ['uses', 'succeeded', ''],
      ['lacks', 'skipped', 'Results were missing'],
    ]);
  });

  it('skips a guarded task and those that need its results, and runs those that only come after', async () => {
    const { output } = await bed.run({
      yaml: pipeline(`
tasks:
  - name: guarded
    when: [{ input: a, operator: in, values: [b] }]
    taskSpec: { results: [{ name: r }], steps: [{ script: echo no }] }
  - { name: needs, params: [{ name: r, value: "$(tasks.guarded.results.r)" }], taskSpec: { params: [{ name: r }], steps: [{ script: echo no }] } }
  - { name: follows, runAfter: [guarded], taskSpec: { steps: [{ script: echo follows }] } }
finally:
  - { name: last, params: [{ name: s, value: $(tasks.status) }], taskSpec: { params: [{ name: s }], steps: [{ command: [echo, $(params.s)] }] } }
`),
    });
    expect(output).toEqual(['follows', 'Completed']);
    expect(statuses().map(([name, outcome]) => `${name} ${outcome}`)).toEqual(['guarded skipped', 'needs skipped', 'follows succeeded', 'last succeeded']);
  });

  it('fails where a task succeeds without a result that another one needs', async () => {
    const { result } = await bed.run({
      yaml: pipeline(`
tasks:
  - { name: silent, taskSpec: { results: [{ name: r }], steps: [{ script: "true" }] } }
  - { name: needs, params: [{ name: r, value: "$(tasks.silent.results.r)" }], taskSpec: { params: [{ name: r }], steps: [{ script: echo no }] } }
`),
    });
    expect(result).toMatchObject({ outcome: 'failed', reason: 'needs: InvalidTaskResultReference' });
  });

  it('hands no result on that is too large for a claim, but knows it by its digest', async () => {
    const { result } = await bed.run({
      yaml: pipeline(`
tasks:
  - { name: large, taskSpec: { results: [{ name: r }], steps: [{ script: "head -c 5000 /dev/zero | tr '\\\\0' x > $(results.r.path)" }] } }
  - { name: needs, params: [{ name: r, value: "$(tasks.large.results.r)" }], taskSpec: { params: [{ name: r }], steps: [{ script: echo no }] } }
`),
    });
    expect(result.reason).toBe('needs: InvalidTaskResultReference');
    expect(bed.views.at(-1)!.taskRuns[0]!.results).toEqual([{ name: 'r', type: 'string', sha256: createHash('sha256').update('x'.repeat(5000)).digest('hex') }]);
  });

  it.runIf(isolation.isolated)('runs tasks at once that nothing orders', async () => {
    const meet = (own: string, other: string): string =>
      `{ name: ${own}, workspaces: [{ name: w }], taskSpec: { workspaces: [{ name: w }], steps: [{ timeout: 5s, script: "touch $(workspaces.w.path)/${own}; until [ -e $(workspaces.w.path)/${other} ]; do sleep 0.02; done" }] } }`;
    const { result } = await bed.run({
      yaml: `apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: { name: both }
spec:
  workspaces: [{ name: w, emptyDir: {} }]
  pipelineSpec:
    workspaces: [{ name: w }]
    tasks:
      - ${meet('left', 'right')}
      - ${meet('right', 'left')}
`,
    });
    expect(result.outcome).toBe('succeeded');
  });

  it('hands a task result on that is made of a step result', async () => {
    const { output } = await bed.run({
      yaml: pipeline(`
tasks:
  - name: first
    taskSpec:
      results: [{ name: whole, type: array, value: "$(steps.s.results.list[*])" }]
      steps:
        - { name: s, results: [{ name: list, type: array }], script: "printf '[\\"x\\",\\"y z\\"]' > $(step.results.list.path)" }
  - { name: second, params: [{ name: p, value: "$(tasks.first.results.whole[*])" }], taskSpec: { params: [{ name: p, type: array }], steps: [{ command: [printf, "%s;", "$(params.p[*])"] }] } }
`),
    });
    expect(output).toEqual(['x;y z;']);
  });
});
