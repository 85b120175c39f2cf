import { describe, expect, it } from 'vitest';
import { isolatedLayout } from '../../../src/task/layout.ts';
import type { PlanOptions } from '../../../src/task/plan.ts';
import { type RenderedStep, renderStep, type StepContext, stepRuns } from '../../../src/task/render.ts';
import { resolveTaskRun } from '../../../src/task/resolve.ts';
import { object, plan } from './fixtures.ts';

const PARAMS = `
params:
  - { name: s, default: text }
  - { name: a.b, default: dotted }
  - { name: list, type: array, default: [x, y z] }
  - { name: o, type: object, properties: { k: {}, l: {} }, default: { k: v, l: w } }
results: [{ name: r }, { name: r.dot }]
workspaces: [{ name: w }, { name: off, optional: true }, { name: deep, mountPath: /data/deep, optional: true }]
`;

interface Rendering {
  readonly step: string;
  readonly before?: string;
  readonly stepResults?: StepContext['stepResults'];
  readonly options?: Partial<PlanOptions>;
}

function context(yaml: string, { stepResults = {}, options = {} }: Omit<Rendering, 'step'>): [ReturnType<typeof plan>, StepContext] {
  const made = plan(yaml, { workspaces: { w: '/host/w', deep: '/host/deep' }, ...options });
  const [taskRun] = made.taskRuns;
  const resolution = resolveTaskRun(made, taskRun!, { runUid: 'abcdef01-x', tasks: {} });
  if (!resolution.run) throw new Error(resolution.reason);
  return [made, { runUid: 'abcdef01-x', taskRunUid: 'uid-1', params: resolution.params, layout: isolatedLayout(taskRun!, resolution.workspaces.map(({ name }) => name)), stepResults }];
}

function render({ step, before = '', ...rest }: Rendering): RenderedStep {
  const yaml = object('Task', 't', `${PARAMS}steps:\n${before}  - ${step}\n`);
  const [made, given] = context(yaml, rest);
  return renderStep(made, made.taskRuns[0]!, made.taskRuns[0]!.spec.steps.at(-1)!, given);
}

const EARLIER = '  - { name: first, script: x, results: [{ name: text }, { name: many, type: array }, { name: parts, type: object, properties: { k: {} } }] }\n';

describe('a variable in a step', () => {
  it.each([
    ['$(params.s)', 'text'],
    ["$(params['s'])", 'text'],
    ['$(params["a.b"])', 'dotted'],
    ['$(params.list[1])', 'y z'],
    ['$(params["list"][0])', 'x'],
    ['$(params.o.k)', 'v'],
    ['$(results.r.path)', '/tekton/results/r'],
    ['$(results["r.dot"].path)', '/tekton/results/r.dot'],
    ['$(step.results.own.path)', '/tekton/steps/step-last/results/own'],
    ['$(step.artifacts.path)', '/tekton/steps/step-last/artifacts/provenance.json'],
    ['$(artifacts.path)', '/tekton/artifacts/provenance.json'],
    ['$(steps.step-first.exitCode.path)', '/tekton/steps/step-first/exitCode'],
    ['$(steps.step-last.exitCode.path)', '/tekton/steps/step-last/exitCode'],
    ['$(workspaces.w.path)', '/workspace/w'],
    ['$(workspaces.w.bound)', 'true'],
    ['$(workspaces.off.path)', ''],
    ['$(workspaces.off.bound)', 'false'],
    ['$(workspaces.deep.path)', '/data/deep'],
    ['$(workspaces.w.volume)', ''],
    ['$(context.taskRun.name)', 't-run-abcde'],
    ['$(context.taskRun.uid)', 'uid-1'],
    ['$(context.taskRun.namespace)', 'local'],
    ['$(context.task.name)', 't'],
    ['$(context.task.retry-count)', '0'],
    ['$(credentials.path)', '/tekton/creds'],
    ['$(steps.first.results.text)', 'hello'],
    ['$(steps.first.results.many[1])', 'b'],
    ['$(steps.first.results.parts.k)', 'v'],
    ['<$(params.s)|$(params.o.l)>', '<text|w>'],
  ])('%s is %j', (text, value) => {
    const { argv } = render({
      before: EARLIER,
      step: `{ name: last, results: [{ name: own }], command: [c], args: [${JSON.stringify(text)}] }`,
      stepResults: { first: { text: 'hello', many: '["a","b"]', parts: '{"k":"v"}' } },
    });
    expect(argv).toEqual(['c', value]);
  });

  it.each([
    ['$(params.list[*])', ['x', 'y z']],
    ['$(params.list)', ['x', 'y z']],
    ['$(steps.first.results.many[*])', ['a', 'b']],
  ])('%s alone in args becomes its elements', (text, values) => {
    const { argv } = render({ before: EARLIER, step: `{ name: last, command: [c], args: [-f, "${text}"] }`, stepResults: { first: { many: '["a","b"]' } } });
    expect(argv).toEqual(['c', '-f', ...values]);
  });

  it.each([
    '$(params.none)', '$(params.o.none)', '$(params.list[2])', '$(params.s[0])', '$(params.s.k)', '$(params.a.b)', '$(results.none.path)', '$(results.r)', '$(step.results.none.path)',
    '$(steps.none.results.x)', '$(steps.last.results.own)', '$(steps.first.results.none)', '$(steps.first.results.many)', '$(steps.first.exitCode.path)', '$(workspaces.none.path)', '$(workspaces.w.size)',
    '$(context.taskRun.node)', '$(context.pipelineRun.name)', '$(tasks.x.results.y)', '$(params[s])', '$(params.s;x)',
  ])('%s is unknown', (text) => {
    expect(() => render({ before: EARLIER, step: `{ name: last, results: [{ name: own }], command: [c], args: ['${text.replaceAll("'", '')}'] }`, stepResults: { first: { many: '[]' } } })).toThrowError(
      expect.objectContaining({ code: 'TASK_VARIABLE_UNKNOWN', found: text }),
    );
  });

  it.each(['x$(params.list[*])', '$(params.o[*])', '$(params.list) $(params.s)'])('%s is a whole value where only text can stand', (text) => {
    expect(() => render({ step: `{ command: [c], args: ["${text}"] }` })).toThrowError(expect.objectContaining({ code: 'TASK_VARIABLE_TYPE' }));
  });

  it('does not stand in a script where it is a step result', () => {
    expect(() => render({ before: EARLIER, step: '{ name: last, script: "echo $(steps.first.results.text)" }', stepResults: { first: { text: 'x' } } })).toThrowError(
      expect.objectContaining({ code: 'TASK_VARIABLE_UNKNOWN' }),
    );
  });

  it('is left to the shell where it does not begin like one of Tekton', () => {
    expect(render({ step: '{ script: "a=$(git rev-parse HEAD) b=${c} d=$((1+1)) e=$(paramsx) f=`x`" }' }).script).toBe('#!/bin/sh\nset -e\na=$(git rev-parse HEAD) b=${c} d=$((1+1)) e=$(paramsx) f=`x`');
  });

  it('in a value is text: nothing is replaced twice', () => {
    expect(render({ step: '{ command: [c], args: ["$(params.s)"] }', options: { params: { s: '$(params.o.k) $(results.r.path)' } } }).argv).toEqual(['c', '$(params.o.k) $(results.r.path)']);
  });

  it('names a result that was not written, or not as declared', () => {
    const step = '{ name: last, command: [c], args: ["$(steps.first.results.many[*])"] }';
    expect(() => render({ before: EARLIER, step })).toThrowError(expect.objectContaining({ code: 'TASK_RESULT_MISSING' }));
    expect(() => render({ before: EARLIER, step, stepResults: { first: { many: 'plain' } } })).toThrowError(expect.objectContaining({ code: 'TASK_RESULT_INVALID' }));
  });
});

describe('a step', () => {
  it('is rendered from its arguments alone, complete', () => {
    expect(render({ step: '{ name: s, image: "img:$(params.s)", script: "#!/bin/bash\\necho $(params.s)", args: [x], env: [{ name: A, value: "$(params.s)" }], workingDir: sub, timeout: 2s, onError: continue }' })).toEqual({
      step: 's', index: 0, image: 'img:text', argv: ['/tekton/scripts/script-0', 'x'], script: '#!/bin/bash\necho text', env: [{ name: 'A', value: 'text' }], workingDir: '/workspace/sub', timeoutMs: 2000, onError: 'continue',
    });
  });

  it('has $(NAME) of its own variables expanded as Kubernetes does', () => {
    const { argv, env } = render({ step: '{ env: [{ name: A, value: one }, { name: B, value: "$(A)-$(C)" }, { name: C, value: "$$(A)" }], command: ["$(A)"], args: ["$(B)", "$$(A)", "$(D)", "a$b", "$$"] }' });
    expect(env.map(({ value }) => value)).toEqual(['one', 'one-$(C)', '$(A)']);
    expect(argv).toEqual(['one', 'one-$(C)', '$(A)', '$(D)', 'a$b', '$']);
  });

  it('with a NUL is refused', () => {
    expect(() => render({ step: '{ command: [c], args: ["a\\0b"] }' })).toThrowError(expect.objectContaining({ code: 'TASK_INVALID' }));
  });

  it.each([
    ['in', '[a, text]', true],
    ['in', '[a]', false],
    ['notin', '[a]', true],
    ['notin', '[text]', false],
    ['in', '["$(params.list[*])", text]', true],
  ])('with when %s %s runs: %s', (operator, values, runs) => {
    const [made, given] = context(object('Task', 't', `${PARAMS}steps: [{ script: x, when: [{ input: $(params.s), operator: ${operator}, values: ${values} }] }]`), {});
    expect(stepRuns(made, made.taskRuns[0]!, made.taskRuns[0]!.spec.steps[0]!, given)).toBe(runs);
  });
});
