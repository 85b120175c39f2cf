import { describe, expect, it } from 'vitest';
import { readDocuments } from '../../../src/task/readDocuments.ts';
import type { TaskDocument } from '../../../src/task/model.ts';
import { parseYaml } from '../../../src/task/yaml.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string): ReturnType<typeof readDocuments> => readDocuments([{ name: 'f.yaml', yaml: bytes(text) }]);
const HEAD = 'apiVersion: tekton.dev/v1\nkind: Task\nmetadata: { name: t }\n';
const task = (spec: string): string => `${HEAD}spec:\n${spec.trim().replaceAll(/^/gm, '  ')}\n`;
const STEPS = 'steps: [{ script: "true" }]';

describe('YAML', () => {
  it('is read as YAML 1.2 with the core schema, several documents to a file', () => {
    expect(parseYaml(bytes('---\n# only a comment\n---\na: yes\nb: 0o17\nc: ~\n---\n[1.5, "x"]\n'), 'f')).toEqual([{ a: 'yes', b: 15, c: null }, [1.5, 'x']]);
  });

  it('may use anchors, which cost nothing until they are too many', () => {
    expect(parseYaml(bytes('a: &x [1, 2]\nb: *x\n'), 'f')).toEqual([{ a: [1, 2], b: [1, 2] }]);
  });

  const bomb = ['a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]', ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array.from({ length: 10 }, () => `*a${i}`).join(', ')}]`)].join('\n');
  it.each([
    ['a key that stands twice', 'a: 1\na: 2', 'TASK_INVALID'],
    ['a tag', 'a: !secret x', 'TASK_INVALID'],
    ['a key that is not text', '1: x', 'TASK_INVALID'],
    ['a number that a double rounds', 'a: 12345678901234567890', 'TASK_INVALID'],
    ['not a number', 'a: .nan', 'TASK_INVALID'],
    ['an alias to nothing', 'a: *x', 'TASK_INVALID'],
    ['a value that contains itself', 'a: &x [*x]', 'TASK_INVALID'],
    ['an older version of YAML', '%YAML 1.1\n---\na: yes', 'TASK_INVALID'],
    ['text that is no YAML', 'a: [', 'TASK_INVALID'],
    ['a bomb of aliases', bomb, 'TASK_LIMIT'],
    ['deep nesting', `${'['.repeat(70)}${']'.repeat(70)}`, 'TASK_LIMIT'],
    ['more than 1 MiB', `# ${'x'.repeat(1024 * 1024)}`, 'TASK_LIMIT'],
  ])('%s is refused', (_, text, code) => {
    expect(() => parseYaml(bytes(text), 'f')).toThrowError(expect.objectContaining({ code }));
  });

  it('with 40,000 keys in one map takes no minutes', () => {
    const text = Array.from({ length: 40_000 }, (_, i) => `k${i}: 1\n`).join('');
    expect(Object.keys(parseYaml(bytes(text), 'f')[0] as object)).toHaveLength(40_000);
  });
});

describe('a Task', () => {
  it('is read with what stepTemplate adds', () => {
    const [document] = read(task(`
stepTemplate: { image: debian, env: [{ name: A, value: "1" }, { name: B, value: "2" }], workingDir: w, args: [x] }
steps:
  - { name: one, command: [c], env: [{ name: B, value: own }, { name: C, value: "3" }] }
  - { image: other, script: echo, args: [y], timeout: 1m30s, onError: continue }
`)) as [TaskDocument];
    expect(document.spec.steps).toMatchObject([
      { name: 'one', index: 0, image: 'debian', command: ['c'], args: ['x'], env: [{ name: 'A', value: '1' }, { name: 'B', value: 'own' }, { name: 'C', value: '3' }], workingDir: 'w', onError: 'stopAndFail' },
      { name: 'unnamed-1', index: 1, image: 'other', command: [], args: ['y'], script: 'echo', timeoutMs: 90_000, onError: 'continue' },
    ]);
  });

  it('has what has no effect here noted with its path', () => {
    const [document] = read(task('description: d\nsteps: [{ script: "true", image: i, computeResources: { limits: { cpu: 1 } } }]').replace('{ name: t }', '{ name: t, labels: { a: b } }'));
    expect(document!.notes).toEqual([
      { path: 'f.yaml#1.metadata.labels', value: { a: 'b' } },
      { path: 'f.yaml#1.spec.steps[0].image', value: 'i' },
      { path: 'f.yaml#1.spec.steps[0].computeResources', value: { limits: { cpu: 1 } } },
    ]);
  });

  it('has a digest of its spec as written', () => {
    const digest = (text: string): string => (read(text)[0] as TaskDocument).spec.digest;
    expect(digest(task(STEPS))).toBe(digest(task("steps:\n- script: 'true'")));
    expect(digest(task(STEPS))).not.toBe(digest(task('steps: [{ script: "true", image: x }]')));
  });

  const unsupported: [string, string, string][] = [
    ['sidecars', `${STEPS}\nsidecars: []`, 'spec.sidecars'],
    ['volumes', `${STEPS}\nvolumes: [{ name: v, emptyDir: {} }]`, 'spec.volumes'],
    ['a StepAction', 'steps: [{ name: s, ref: { name: a } }]', 'spec.steps[0].ref'],
    ['volumeMounts', 'steps: [{ script: x, volumeMounts: [] }]', 'spec.steps[0].volumeMounts'],
    ['a security context', 'steps: [{ script: x, securityContext: { privileged: true } }]', 'spec.steps[0].securityContext'],
    ['envFrom', 'steps: [{ script: x, envFrom: [] }]', 'spec.steps[0].envFrom'],
    ['a value from a Secret', 'steps: [{ script: x, env: [{ name: A, valueFrom: { secretKeyRef: { name: s, key: k } } }] }]', 'spec.steps[0].env[0].valueFrom'],
    ['a redirected stream', 'steps: [{ script: x, stdoutConfig: { path: /x } }]', 'spec.steps[0].stdoutConfig'],
    ['workspaces of a step', 'steps: [{ script: x, workspaces: [{ name: w }] }]', 'spec.steps[0].workspaces'],
    ['CEL', 'steps: [{ script: x, when: [{ cel: "true" }] }]', 'spec.steps[0].when[0].cel'],
    ['a field that nobody knows', 'steps: [{ script: x, scirpt: y }]', 'spec.steps[0].scirpt'],
  ];
  it.each(unsupported)('with %s is refused with the path of the field', (_, spec, path) => {
    expect(() => read(task(spec))).toThrowError(expect.objectContaining({ code: 'TASK_FIELD_UNSUPPORTED', message: expect.stringContaining(`f.yaml#1.${path} `) }));
  });

  const invalid: [string, string][] = [
    ['another apiVersion', task(STEPS).replace('/v1', '/v1beta1')],
    ['another kind', task(STEPS).replace('kind: Task', 'kind: Pod')],
    ['no name', task(STEPS).replace('name: t', 'generateName: t-')],
    ['a name that is no SPIFFE segment', task(STEPS).replace('name: t', 'name: a/b')],
    ['no step', task('steps: []')],
    ['a step without script and command', task('steps: [{ image: x }]')],
    ['a step with both', task('steps: [{ script: x, command: [y] }]')],
    ['two steps of one name', task('steps: [{ name: a, script: x }, { name: a, script: y }]')],
    ['a step name with a variable', task('steps: [{ name: $(params.x), script: x }]')],
    ['a step that takes the place of an unnamed one', task('steps: [{ name: unnamed-1, script: x }, { script: y }]')],
    ['two parameters that differ in case only', task(`${STEPS}\nparams: [{ name: a }, { name: A }]`)],
    ['a default of another type', task(`${STEPS}\nparams: [{ name: a, type: array, default: x }]`)],
    ['an object parameter without keys', task(`${STEPS}\nparams: [{ name: a, type: object }]`)],
    ['an enum of an array', task(`${STEPS}\nparams: [{ name: a, type: array, enum: [x] }]`)],
    ['a result that is a path', task(`${STEPS}\nresults: [{ name: ../x }]`)],
    ['a timeout that is none', task('steps: [{ script: x, timeout: 5 minutes }]')],
    ['an onError that is none', task('steps: [{ script: x, onError: ignore }]')],
    ['an operator that is none', task('steps: [{ script: x, when: [{ input: a, operator: exists, values: [b] }] }]')],
    ['a mountPath with ..', task(`${STEPS}\nworkspaces: [{ name: w, mountPath: /a/../b }]`)],
    ['a script for Windows', task('steps: [{ script: "#!win powershell" }]')],
    ['an env value that is a number', task('steps: [{ script: x, env: [{ name: A, value: 1 }] }]')],
    ['a list', '- a'],
  ];
  it.each(invalid)('with %s is refused', (_, text) => {
    expect(() => read(text)).toThrowError(expect.objectContaining({ code: 'TASK_INVALID' }));
  });
});
