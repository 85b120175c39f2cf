import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { Code } from '../../../src/base/errors.ts';
import { crossCheck } from '../../../src/provenance/crossCheck.ts';
import type { RunFacts } from '../../../src/provenance/facts.ts';
import { claimResult } from '../../../src/provenance/result.ts';
import type { RunnerView, ViewedStep, ViewedTaskRun } from '../../../src/provenance/run.ts';
import { createUniverse } from '../../fakes/universe.ts';
import { hex, type MadeRun, makeRun, type RunKnobs } from '../../fakes/universeRun.ts';
import { codeOf } from './codeOf.ts';

interface Row {
  readonly name: string;
  readonly code: Code;
  readonly knobs?: RunKnobs;
  readonly view?: (view: RunnerView) => RunnerView;
  readonly facts?: (facts: RunFacts) => RunFacts;
  readonly attempts?: (run: MadeRun) => MadeRun['attempts'];
  readonly rendered?: (step: string) => string;
}

const universe = await createUniverse();

function check(run: MadeRun, row: Partial<Row> = {}) {
  return crossCheck({
    facts: row.facts?.(run.facts) ?? run.facts,
    view: row.view?.(run.view) ?? run.view,
    attempts: row.attempts?.(run) ?? run.attempts,
    rendered: ({ step }) => (row.rendered ?? run.rendered)(step.name),
  });
}

const taskRun = (change: (taskRun: ViewedTaskRun) => ViewedTaskRun) => (view: RunnerView): RunnerView => ({ ...view, taskRuns: view.taskRuns.map(change) });
const step = (name: string, change: (step: ViewedStep) => ViewedStep) => taskRun((own) => ({ ...own, steps: own.steps.map((each) => (each.name === name ? change(each) : each)) }));
const expected = (change: (taskRun: RunFacts['taskRuns'][number]) => RunFacts['taskRuns'][number]) => (facts: RunFacts): RunFacts => ({ ...facts, taskRuns: facts.taskRuns.map(change) });
const commit = (text: string) => claimResult('commit', 'task', 'string', utf8(text), false);

const ROWS: readonly Row[] = [
  { name: 'the runner speaks of another run', code: 'RUN_UID_MISMATCH', view: (view) => ({ ...view, runUid: 'run-2' }) },
  { name: 'the run failed', code: 'RUN_NOT_SUCCEEDED', view: (view) => ({ ...view, outcome: 'failed' }) },
  { name: 'the runner says it isolated nothing', code: 'PROVENANCE_DISAGREEMENT', view: (view) => ({ ...view, isolation: 'unisolated' }) },
  { name: 'the node saw no isolation', code: 'PROVENANCE_DISAGREEMENT', knobs: { evidence: (_, own) => ({ ...own, observed: { ...own.observed, isolation: 'unisolated' } }) } },
  { name: 'the runner leaves out a TaskRun', code: 'PROVENANCE_DISAGREEMENT', view: (view) => ({ ...view, taskRuns: [] }) },
  { name: 'the runner leaves out a step', code: 'STEP_MISSING', view: taskRun((own) => ({ ...own, steps: own.steps.slice(0, 2) })) },
  { name: 'the runner ran a step more', code: 'STEP_UNEXPECTED', view: taskRun((own) => ({ ...own, steps: [...own.steps, { ...own.steps[0]!, name: 'intruder' }] })) },
  { name: 'the node has no evidence of a step', code: 'STEP_MISSING', attempts: ({ attempts }) => attempts.slice(1) },
  { name: 'the runner skipped what the node saw', code: 'STEP_UNEXPECTED', view: step('sbom', ({ name }) => ({ name, outcome: 'skipped' })) },
  { name: 'the node has evidence of a step of no run', code: 'STEP_UNEXPECTED', facts: expected((own) => ({ ...own, steps: own.steps.slice(0, 2) })), view: taskRun((own) => ({ ...own, steps: own.steps.slice(0, 2) })) },
  { name: 'two claims of one step', code: 'CLAIM_EQUIVOCATION', attempts: ({ attempts }) => [...attempts, attempts[1]!] },
  { name: 'the runner names another attempt', code: 'ATTEMPT_MISMATCH', view: step('build', (own) => ({ ...own, attempt: 'other' })) },
  { name: 'the runner counts another attempt', code: 'ATTEMPT_MISMATCH', view: step('build', (own) => ({ ...own, attemptNumber: 1 })) },
  { name: 'claim and node evidence are of different attempts', code: 'PROVENANCE_DISAGREEMENT', knobs: { node: (_, own) => ({ ...own, evidence: { ...own.evidence, attempt: 'other' } }) } },
  { name: 'the evidence is of another run', code: 'RUN_UID_MISMATCH', knobs: { evidence: (_, own) => ({ ...own, runUid: 'run-2' }) } },
  { name: 'the evidence names another identity', code: 'IDENTITY_MISMATCH', knobs: { evidence: (_, own) => ({ ...own, identity: 'spiffe://example.org/ns/local/task/other/step/build' }) } },
  { name: 'the Task changed after the start', code: 'PROVENANCE_DISAGREEMENT', facts: expected((own) => ({ ...own, taskDigest: hex('changed') })) },
  { name: 'the parameters changed after the start', code: 'PROVENANCE_DISAGREEMENT', facts: (facts) => ({ ...facts, externalParameters: { ...facts.externalParameters, params: { version: '6.6.6' } } }) },
  { name: 'the node saw another image', code: 'PROVENANCE_DISAGREEMENT', knobs: { evidence: (_, own) => ({ ...own, observed: { ...own.observed, image: 'evil' } }) } },
  { name: 'the server renders a step otherwise', code: 'PROVENANCE_DISAGREEMENT', rendered: (name) => hex(`other ${name}`) },
  { name: 'the runner executed something else than the node saw', code: 'PROVENANCE_DISAGREEMENT', view: step('build', (own) => ({ ...own, rendered: hex('other') })) },
  { name: 'the runner reports another exit code', code: 'PROVENANCE_DISAGREEMENT', view: step('build', (own) => ({ ...own, exitCode: 1 })) },
  { name: 'the runner calls a failed step succeeded', code: 'PROVENANCE_DISAGREEMENT', knobs: { node: (_, own) => ({ ...own, exitCode: 1 }) }, view: taskRun((own) => ({ ...own, steps: own.steps.map((each) => ({ ...each, exitCode: 1 })) })) },
  { name: 'the runner reports another start', code: 'PROVENANCE_DISAGREEMENT', view: step('build', (own) => ({ ...own, started: own.started! + 1 })) },
  { name: 'the runner reports another end', code: 'PROVENANCE_DISAGREEMENT', view: step('build', (own) => ({ ...own, finished: own.finished! + 1 })) },
  { name: 'a claim lists an artifact that the node did not hash', code: 'OUTPUT_NOT_OBSERVED', knobs: { node: (_, own) => ({ ...own, artifacts: [] }) } },
  { name: 'a claim calls hashed what the node did not hash', code: 'OUTPUT_NOT_OBSERVED', knobs: { node: (_, own) => ({ ...own, artifacts: own.artifacts.map((each) => ({ ...each, observed: false })) }) } },
  { name: 'a claim has another result than the node hashed', code: 'OUTPUT_NOT_OBSERVED', knobs: { node: (_, own) => ({ ...own, results: own.results.map((each) => ({ ...each, sha256: hex('other') })) }) } },
  { name: 'a later step writes over a result', code: 'RESULT_NOT_SIGNED_BY_PRODUCER', knobs: { claimed: (name, own) => (name === 'build' ? { ...own, results: [commit('another')] } : own) } },
  { name: 'the runner used another value than the producer left', code: 'RESULT_NOT_SIGNED_BY_PRODUCER', view: taskRun((own) => ({ ...own, results: own.results.map((each) => ({ ...each, sha256: hex('other') })) })) },
  { name: 'the runner used a result that no step claims', code: 'RESULT_NOT_SIGNED_BY_PRODUCER', knobs: { claimed: (_, own) => ({ ...own, results: [] }) } },
  { name: 'the runner used one result as another', code: 'CLAIM_NAME_MISMATCH', view: taskRun((own) => ({ ...own, results: own.results.map((each) => ({ ...each, sha256: own.results[0]!.sha256 })) })) },
  { name: 'the runner used an array as a string', code: 'CLAIM_ENCODING', view: taskRun((own) => ({ ...own, results: own.results.map((each) => ({ ...each, type: 'string' as const })) })) },
  { name: 'a result is of another type than declared', code: 'CLAIM_ENCODING', facts: expected((own) => ({ ...own, results: own.results.map((each) => ({ ...each, type: 'object' as const })) })) },
  { name: 'a result that the Task does not declare', code: 'PROVENANCE_DISAGREEMENT', facts: expected((own) => ({ ...own, results: [] })) },
  { name: 'the runner forgot a result', code: 'PROVENANCE_DISAGREEMENT', view: taskRun((own) => ({ ...own, results: [] })) },
  { name: 'a value that is not what its digest is over', code: 'CLAIM_ENCODING', knobs: { claim: (_, own) => ({ ...own, results: own.results.map((each) => ({ ...each, value: '["a","b"]' })) }) } },
];

describe('the cross-check', () => {
  test('lets a run pass whose three views agree', async () => {
    const run = await makeRun(universe);
    expect(check(run).attempts.map(({ claim }) => claim.step)).toEqual(['source', 'build', 'sbom']);
  });

  test('lets a result pass that a later step left as it was', async () => {
    const again = commit('4b825dc642cb6eb9a060e54bf8d69288fbee4904');
    const run = await makeRun(universe, { claimed: (name, own) => (name === 'build' ? { ...own, results: [again] } : own) });
    expect(() => check(run)).not.toThrow();
  });

  test('does not depend on the order in which attempts are handed in', async () => {
    const run = await makeRun(universe);
    expect(check(run, { attempts: ({ attempts }) => attempts.toReversed() })).toEqual(check(run));
  });

  test.each(ROWS)('refuses when $name: $code', async (row) => {
    const run = await makeRun(universe, row.knobs);
    expect(codeOf(() => check(run, row))).toBe(row.code);
  });

  test('names both views and the field', async () => {
    const run = await makeRun(universe);
    expect(() => check(run, { view: step('build', (own) => ({ ...own, exitCode: 7 })) })).toThrow(
      expect.objectContaining({ message: 'runner and node disagree on exitCode of step build of TaskRun run-1-task', expected: 'runner: 7', found: 'node: 0' }),
    );
  });
});
