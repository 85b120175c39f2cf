import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { identityPath } from '../../../src/task/identity.ts';
import { isolatedLayout } from '../../../src/task/layout.ts';
import { renderStep } from '../../../src/task/render.ts';
import { resolveTaskRun } from '../../../src/task/resolve.ts';
import type { RunPlan } from '../../../src/task/runPlan.ts';
import { object, plan } from './fixtures.ts';

const STEP = 'steps: [{ name: s, script: x }]';
const identities = (made: RunPlan): string[] => made.taskRuns.flatMap((taskRun) => taskRun.spec.steps.map((step) => identityPath(taskRun, step)));

describe('identity', () => {
  it('of a Task, an unnamed step, a Pipeline, and a reference to a Task are names of objects', () => {
    expect(identities(plan(object('Task', 'release', 'steps: [{ name: build, script: x }, { script: y }]')))).toEqual(['/ns/local/task/release/step/build', '/ns/local/task/release/step/unnamed-1']);
    expect(identities(plan(object('Task', 'unit', STEP) + object('Pipeline', 'ci', `tasks: [{ name: test, taskRef: { name: unit } }, { name: own, taskSpec: { ${STEP} } }]`)))).toEqual([
      '/ns/local/pipeline/ci/task/test/step/s',
      '/ns/local/pipeline/ci/task/own/step/s',
    ]);
    expect(identities(plan(object('Task', 'unit', STEP) + object('TaskRun', 'go', 'taskRef: { name: unit }')))).toEqual(['/ns/local/task/unit/step/s']);
  });

  it('of an inline spec is its digest, so that another spec is another identity', () => {
    const inline = (script: string): string => identities(plan(object('TaskRun', 'go', `taskSpec: { steps: [{ name: s, script: ${script} }] }`)))[0]!;
    expect(inline('x')).toMatch(/^\/ns\/local\/inline\/[0-9a-f]{64}\/step\/s$/);
    expect(inline('x')).not.toBe(inline('y'));
    expect(identities(plan(object('PipelineRun', 'go', `pipelineSpec: { tasks: [{ name: t, taskSpec: { ${STEP} } }] }`)))[0]).toMatch(/^\/ns\/local\/inline\/[0-9a-f]{64}\/task\/t\/step\/s$/);
  });

  it('never takes the namespace of a document', () => {
    expect(identities(plan(object('Task', 'unit', STEP).replace('{ name', '{ namespace: prod, name')))).toEqual(['/ns/local/task/unit/step/s']);
  });

  it('of the example is the one that its users know', () => {
    const yaml = readFileSync(join(import.meta.dirname, '../../../tekton/examples/release.yaml'), 'utf8');
    expect(identities(plan(yaml, { workspaces: { source: '/src' } }))).toEqual(['source', 'build', 'sbom'].map((step) => `/ns/local/task/release/step/${step}`));
  });
});

describe('what is run', () => {
  const two = object('Task', 'a', STEP) + object('Task', 'b', STEP);
  it('is the run object, else the Pipeline, else the Task, else the one that is named', () => {
    expect(plan(two + object('TaskRun', 'go', 'taskRef: { name: b }')).taskRuns[0]!.task).toBe('b');
    expect(plan(two + object('Pipeline', 'p', 'tasks: [{ name: x, taskRef: { name: a } }]')).pipeline).toBe('p');
    expect(plan(two, { entry: 'Task/b' }).taskRuns[0]!.task).toBe('b');
    expect(plan(two, { entry: 'a' }).taskRuns[0]!.task).toBe('a');
  });

  it.each([
    ['two Tasks', two, {}, 'TASK_AMBIGUOUS'],
    ['nothing', '# empty', {}, 'TASK_REFERENCE_UNRESOLVED'],
    ['a name that is not there', two, { entry: 'c' }, 'TASK_REFERENCE_UNRESOLVED'],
    ['one name twice', two + object('Task', 'a', STEP), { entry: 'b' }, 'TASK_INVALID'],
    ['a reference to nothing', object('TaskRun', 'go', 'taskRef: { name: none }'), {}, 'TASK_REFERENCE_UNRESOLVED'],
    ['a Pipeline that is not there', object('PipelineRun', 'go', 'pipelineRef: { name: none }'), {}, 'TASK_REFERENCE_UNRESOLVED'],
    ['a resolver', object('TaskRun', 'go', 'taskRef: { resolver: git }'), {}, 'TASK_FIELD_UNSUPPORTED'],
    ['a custom task', object('Pipeline', 'p', 'tasks: [{ name: x, taskRef: { kind: Wait, apiVersion: example.dev/v1, name: a } }]'), {}, 'TASK_FIELD_UNSUPPORTED'],
    ['a matrix', object('Pipeline', 'p', `tasks: [{ name: x, matrix: {}, taskSpec: { ${STEP} } }]`), {}, 'TASK_FIELD_UNSUPPORTED'],
    ['retries', object('Pipeline', 'p', `tasks: [{ name: x, retries: 1, taskSpec: { ${STEP} } }]`), {}, 'TASK_FIELD_UNSUPPORTED'],
    ['a service account', object('TaskRun', 'go', `serviceAccountName: x\ntaskSpec: { ${STEP} }`), {}, 'TASK_FIELD_UNSUPPORTED'],
  ])('%s is refused', (_, yaml, options, code) => {
    expect(() => plan(yaml, options)).toThrowError(expect.objectContaining({ code }));
  });
});

describe('order of a pipeline', () => {
  const t = (name: string, more = ''): string => `  - { name: ${name}, taskSpec: { results: [{ name: r }], params: [{ name: p, default: x }], ${STEP} }${more} }\n`;
  const uses = (...names: string[]): string => `, params: [{ name: p, value: "${names.map((name) => `$(tasks.${name}.results.r)`).join('')}" }]`;
  const order = (tasks: string): string => plan(object('Pipeline', 'p', `tasks:\n${tasks}`)).taskRuns.map(({ pipelineTask }) => pipelineTask).join(' ');

  it('follows runAfter and results, and otherwise the document', () => {
    expect(order(t('c', uses('b')) + t('a') + t('b', ', runAfter: [a]') + t('d'))).toBe('a b c d');
    expect(order(t('a', ', when: [{ input: $(tasks.z.results.r), operator: in, values: [x] }]') + t('z'))).toBe('z a');
  });

  it.each([
    ['runAfter', t('a', ', runAfter: [b]') + t('b', ', runAfter: [a]'), 'a → b → a'],
    ['results', t('a', uses('c')) + t('b', uses('a')) + t('c', uses('b')), 'a → c → b → a'],
    ['itself', t('a', ', runAfter: [a]'), 'a → a'],
  ])('in a circle by %s is refused, and the circle named', (_, tasks, found) => {
    expect(() => order(tasks)).toThrowError(expect.objectContaining({ code: 'PIPELINE_CYCLE', found, message: expect.stringMatching(/#\d+\.spec\.tasks: /) }));
  });

  it.each([
    ['runAfter of nothing', t('a', ', runAfter: [none]'), 'TASK_REFERENCE_UNRESOLVED'],
    ['a result of no task', t('a', uses('none')), 'TASK_REFERENCE_UNRESOLVED'],
    ['a result that is not declared', t('b') + t('a', ', params: [{ name: p, value: $(tasks.b.results.none) }]'), 'TASK_VARIABLE_UNKNOWN'],
    ['a status outside finally', t('b') + t('a', ', params: [{ name: p, value: $(tasks.b.status) }]'), 'TASK_VARIABLE_UNKNOWN'],
    ['a whole array for a string', `  - { name: b, taskSpec: { results: [{ name: r, type: array }], ${STEP} } }\n${t('a', ', params: [{ name: p, value: "$(tasks.b.results.r[*])" }]')}`, 'TASK_PARAM_INVALID'],
    ['an unknown parameter of the pipeline', t('a', ', params: [{ name: p, value: $(params.none) }]'), 'TASK_VARIABLE_UNKNOWN'],
    ['a parameter that the task does not declare', t('a', ', params: [{ name: q, value: x }]'), 'TASK_PARAM_INVALID'],
    ['two tasks of one name', t('a') + t('a'), 'TASK_INVALID'],
  ])('with %s is refused', (_, tasks, code) => {
    expect(() => order(tasks)).toThrowError(expect.objectContaining({ code }));
  });
});

describe('parameters', () => {
  const specs = 'params: [{ name: s, enum: [a, b] }, { name: list, type: array, default: [x] }, { name: o, type: object, properties: { k: {}, l: {} }, default: { l: preset } }, { name: d, default: "$(params.s)-$(params.o.k)" }]';
  const values = (params: object): object => plan(object('Task', 't', `${specs}\n${STEP}`), { params: params as never }).params;

  it('come from the person, then from defaults, which may name others', () => {
    expect(values({ s: 'a', o: { k: 'v' } })).toEqual({ s: 'a', list: ['x'], o: { k: 'v', l: 'preset' }, d: 'a-v' });
  });

  it.each([
    ['none', {}, 'TASK_PARAM_MISSING'],
    ['a key missing', { s: 'a', o: {} }, 'TASK_PARAM_MISSING'],
    ['one outside the enum', { s: 'c', o: { k: 'v' } }, 'TASK_PARAM_INVALID'],
    ['another type', { s: ['a'], o: { k: 'v' } }, 'TASK_PARAM_INVALID'],
    ['one that is not declared', { s: 'a', o: { k: 'v' }, z: '' }, 'TASK_PARAM_INVALID'],
  ])('with %s are refused', (_, params, code) => {
    expect(() => values(params)).toThrowError(expect.objectContaining({ code }));
  });

  it('whose defaults need each other are refused', () => {
    expect(() => plan(object('Task', 't', `params: [{ name: a, default: $(params.b) }, { name: b, default: $(params.a) }]\n${STEP}`))).toThrowError(expect.objectContaining({ code: 'TASK_PARAM_INVALID' }));
  });

  it('of a run reach an inline spec without a declaration', () => {
    const inline = plan(object('TaskRun', 'go', 'params: [{ name: x, value: 5 }]\ntaskSpec: { steps: [{ script: "echo $(params.x)" }] }'));
    expect(resolveTaskRun(inline, inline.taskRuns[0]!, { runUid: 'u', tasks: {} })).toMatchObject({ run: true, params: { x: '5' } });
    const pipeline = plan(object('PipelineRun', 'go', 'params: [{ name: x, value: y }]\npipelineSpec: { tasks: [{ name: t, taskSpec: { steps: [{ script: "echo $(params.x)" }] } }] }'));
    expect(resolveTaskRun(pipeline, pipeline.taskRuns[0]!, { runUid: 'u', tasks: {} })).toMatchObject({ run: true, params: { x: 'y' } });
    expect(() => plan(object('Task', 't', 'steps: [{ script: "echo $(params.x)" }]'))).toThrowError(expect.objectContaining({ code: 'TASK_VARIABLE_UNKNOWN' }));
  });
});

describe('a spec inside a Pipeline', () => {
  it('may use the variables of the Pipeline, one outside may not', () => {
    const text = 'steps: [{ name: s, command: [c], args: [$(context.pipeline.name), $(context.pipelineRun.name), $(context.pipelineRun.uid), $(context.taskRun.name)] }]';
    const made = plan(object('Pipeline', 'p', `tasks: [{ name: x, taskSpec: { ${text} } }]`));
    const [taskRun] = made.taskRuns;
    const context = { runUid: '12345678', taskRunUid: 't', params: {}, layout: isolatedLayout(taskRun!, []), stepResults: {} };
    expect(renderStep(made, taskRun!, taskRun!.spec.steps[0]!, context).argv).toEqual(['c', 'p', 'p-run-12345', '12345678', 'p-run-12345-x']);
    expect(() => plan(object('Task', 't', text))).toThrowError(expect.objectContaining({ code: 'TASK_VARIABLE_UNKNOWN' }));
  });
});

describe('workspaces', () => {
  const task = object('Task', 't', `workspaces: [{ name: w }, { name: maybe, optional: true }]\n${STEP}`);
  it('of a pipeline reach its tasks, with the subPaths of both', () => {
    const made = plan(
      `${task}${object('Pipeline', 'p', 'params: [{ name: d, default: deep }]\nworkspaces: [{ name: all }]\ntasks: [{ name: x, taskRef: { name: t }, workspaces: [{ name: w, workspace: all, subPath: $(params.d)/er }] }]')}${object('PipelineRun', 'go', 'pipelineRef: { name: p }\nworkspaces: [{ name: all, subPath: top, emptyDir: {} }]')}`,
    );
    expect(resolveTaskRun(made, made.taskRuns[0]!, { runUid: 'u', tasks: {} })).toMatchObject({ run: true, workspaces: [{ name: 'w', from: 'all', source: { emptyDir: true }, subPath: 'top/deep/er' }] });
  });

  it.each([
    ['that is needed and not given', task, {}, 'TASK_WORKSPACE_MISSING'],
    ['that is not declared', task, { w: '/x', other: '/y' }, 'TASK_WORKSPACE_INVALID'],
    ['with a relative directory', task, { w: 'x' }, 'TASK_WORKSPACE_INVALID'],
    ['with a claim', `${task}${object('TaskRun', 'go', 'taskRef: { name: t }\nworkspaces: [{ name: w, persistentVolumeClaim: { claimName: c } }]')}`, {}, 'TASK_FIELD_UNSUPPORTED'],
    ['that the pipeline does not hand on', `${task}${object('Pipeline', 'p', 'tasks: [{ name: x, taskRef: { name: t } }]')}`, {}, 'TASK_WORKSPACE_MISSING'],
    ['that the pipeline does not have', `${task}${object('Pipeline', 'p', 'tasks: [{ name: x, taskRef: { name: t }, workspaces: [{ name: w }] }]')}`, {}, 'TASK_WORKSPACE_INVALID'],
  ])('%s are refused', (_, yaml, workspaces, code) => {
    expect(() => plan(yaml, { workspaces })).toThrowError(expect.objectContaining({ code }));
  });

  it('with a subPath that leaves them are refused', () => {
    const made = plan(`${task}${object('TaskRun', 'go', 'taskRef: { name: t }\nworkspaces: [{ name: w, emptyDir: {}, subPath: a/../../b }]')}`);
    expect(() => resolveTaskRun(made, made.taskRuns[0]!, { runUid: 'u', tasks: {} })).toThrowError(expect.objectContaining({ code: 'TASK_WORKSPACE_INVALID' }));
  });

  it('with a claim are the directory that the person gives instead', () => {
    const made = plan(`${task}${object('TaskRun', 'go', 'taskRef: { name: t }\nworkspaces: [{ name: w, persistentVolumeClaim: { claimName: c } }]')}`, { workspaces: { w: '/x' } });
    expect(made.workspaces).toEqual({ w: { directory: '/x' } });
    expect(made.notes.map(({ path }) => path)).toEqual(['f.yaml#2.spec.workspaces[0].persistentVolumeClaim']);
  });
});
