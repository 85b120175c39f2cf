import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { canonicalJson } from '../../src/base/json.ts';
import { parseBundle } from '../../src/envelope/bundle.ts';
import { parseStatement } from '../../src/envelope/statement.ts';
import { claimResult } from '../../src/provenance/result.ts';
import { encodeRunnerView, type RunnerView, type ViewedStep } from '../../src/provenance/run.ts';
import { parseIdentityPattern } from '../../src/spiffe/pattern.ts';
import { planRun } from '../../src/task/plan.ts';
import { readDocuments } from '../../src/task/readDocuments.ts';
import { renderStep } from '../../src/task/render.ts';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { codeOf, serverFolder, type TestAgent, testServer, type TestServer } from '../fakes/testServer.ts';
import { artifact, createRun, nodeEvidence, NOTHING, observed, type OpenedAttempt, type OpenedRun, openAttempt, sealAs, sealClaim, SELF, statement, TASK } from '../fakes/serverRun.ts';

const folder = serverFolder();
let server: TestServer;
let agent: TestAgent;
beforeAll(async () => {
  server = await testServer(folder.path);
  agent = await server.join();
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

const documents = [{ name: 'release.yaml', yaml: utf8(TASK) }];

describe('a run', () => {
  test('gets a UID for itself and each TaskRun of the Task that the server read', async () => {
    const run = await server.admin.createRun({ documents, isolation: 'isolated' });
    expect(run.runUid).toMatch(/^[0-9a-f-]{36}$/);
    expect(run.taskRuns).toMatchObject([{ pipelineTask: '', task: 'release' }]);
  });

  test.each([
    ['no known isolation', { isolation: 'somehow' }, 'RUN_INVALID'],
    ['no documents', { documents: [] }, 'TASK_REFERENCE_UNRESOLVED'],
    ['a document that is no YAML', { documents: [{ name: 'x', yaml: utf8('{') }] }, 'TASK_INVALID'],
    ['a document of another kind', { documents: [{ name: 'x', yaml: utf8('apiVersion: v1\nkind: Pod\nmetadata: {name: x}') }] }, 'TASK_INVALID'],
    ['a parameter that is no JSON', { params: { a: '{' } }, 'JSON_INVALID'],
    ['a parameter of another type', { params: { a: '1' } }, 'TASK_PARAM_INVALID'],
    ['a parameter that nobody declared', { params: { a: '"b"' } }, 'TASK_PARAM_INVALID'],
    ['an entry that is not there', { entry: 'other' }, 'TASK_REFERENCE_UNRESOLVED'],
  ])('is not created of %s', async (_, change, code) => {
    expect(await codeOf(server.admin.createRun({ documents, isolation: 'isolated', ...change }))).toBe(code);
  });

  test('that never was cannot be finished', async () => {
    expect(await codeOf(server.admin.finishRun({ runUid: 'x', view: utf8('{}') }))).toBe('RUN_UNKNOWN');
  });
});

/** What a runner and an honest agent do with the two steps of TASK, up to FinishRun. */
async function ran(over: { readonly version?: string } = {}): Promise<{ run: OpenedRun; view: RunnerView; attempts: OpenedAttempt[] }> {
  const run = await createRun(server);
  const plan = planRun(readDocuments(documents), { params: {}, workspaces: {} });
  const taskRun = plan.taskRuns[0]!;
  const context = { runUid: run.runUid, taskRunUid: run.taskRunUid, params: {}, layout: { tekton: '/t', workspace: '/w', workspaces: {} }, stepResults: {} };
  const result = claimResult('version', 'task', 'string', utf8(over.version ?? '1.2.3'), false);
  const steps: ViewedStep[] = [];
  const attempts: OpenedAttempt[] = [];
  for (const [index, step] of taskRun.spec.steps.entries()) {
    const rendered = toHex(sha256(utf8(canonicalJson(renderStep(plan, taskRun, step, context)))));
    const attempt = await openAttempt(agent, run, step.name, 0, { rendered, image: step.image });
    attempts.push(attempt);
    const times = { started: 1_700_000_000_000 + index * 10_000, finished: 1_700_000_001_000 + index * 10_000 };
    const results = index === 0 ? [result] : [];
    const claim = await sealClaim(server, agent, attempt, { ...NOTHING, results });
    const hashed = results.map(({ name, scope, sha256: digest }) => ({ name, scope, sha256: digest }));
    const [evidence] = await sealAs(server, agent, { caller: SELF, spiffeId: agent.id }, statement(nodeEvidence(attempt.evidence, { ...times, results: hashed })));
    await agent.node.closeAttempt({ attemptId: attempt.id, reason: 'ended', claimBundle: claim, evidenceBundle: evidence!.bundle });
    steps.push({ name: step.name, outcome: 'succeeded', attempt: attempt.id, attemptNumber: 0, rendered, exitCode: 0, ...times });
  }
  const results = [{ name: 'version', type: 'string' as const, sha256: result.sha256 }];
  const taskRuns = [{ uid: run.taskRunUid, pipelineTask: '', outcome: 'succeeded' as const, reason: '', steps, results }];
  return { run, attempts, view: { runUid: run.runUid, isolation: 'isolated', started: 1_700_000_000_000, finished: 1_700_000_020_000, outcome: 'succeeded', taskRuns } };
}

const finish = (view: RunnerView) => server.admin.finishRun({ runUid: view.runUid, view: encodeRunnerView(view) });

describe('the end of a run', () => {
  test('on which all agree is provenance by the provenance identity', async () => {
    const { view, run } = await ran();
    const { provenanceBundle, elapsedUs } = await finish(view);
    expect(Number(elapsedUs)).toBeGreaterThan(0);
    const identity = parseIdentityPattern('spiffe://example.org/stepseal/provenance');
    expect(verifyBundle(provenanceBundle, { identity, issuer: server.issuer, predicateType: 'https://slsa.dev/provenance/v1' }, server).status).toBe('ok');
    const { content } = parseBundle(provenanceBundle);
    const { predicate } = parseStatement((content as { payload: Uint8Array }).payload);
    expect(predicate).toMatchObject({ runDetails: { builder: { id: 'https://example.org/stepseal/local' }, metadata: { invocationId: `https://example.org/stepseal/runs/${run.runUid}` } } });
    expect(await codeOf(finish(view))).toBe('RUN_FINISHED');
    expect(await codeOf(openAttempt(agent, run, 'build', 1))).toBe('RUN_FINISHED');
  });

  test('asked for twice at once is one provenance', async () => {
    const { view } = await ran();
    const { logSize } = await server.admin.getStatus({});
    const codes = await Promise.all([codeOf(finish(view)), codeOf(finish(view))]);
    expect(codes.toSorted()).toEqual(['RUN_FINISHED', 'nothing was thrown']);
    expect((await server.admin.getStatus({})).logSize).toBe(logSize + 1n);
  });

  const disagreements: readonly (readonly [name: string, change: (view: RunnerView) => RunnerView, code: string])[] = [
    ['the isolation', (view) => ({ ...view, isolation: 'unisolated' }), 'PROVENANCE_DISAGREEMENT'],
    ['an exit code', (view) => withStep(view, { exitCode: 1 }), 'PROVENANCE_DISAGREEMENT'],
    ['what was executed', (view) => withStep(view, { rendered: '0'.repeat(64) }), 'PROVENANCE_DISAGREEMENT'],
    ['the attempt', (view) => withStep(view, { attempt: '00000000-0000-4000-8000-000000000000' }), 'ATTEMPT_MISMATCH'],
    ['a step', (view) => ({ ...view, taskRuns: [{ ...view.taskRuns[0]!, steps: view.taskRuns[0]!.steps.slice(1) }] }), 'STEP_MISSING'],
    ['a result', (view) => ({ ...view, taskRuns: [{ ...view.taskRuns[0]!, results: [{ name: 'version', type: 'string', sha256: '0'.repeat(64) }] }] }), 'RESULT_NOT_SIGNED_BY_PRODUCER'],
    ['the outcome', (view) => ({ ...view, outcome: 'failed' }), 'RUN_NOT_SUCCEEDED'],
  ];
  test.each(disagreements)('on which they disagree, in %s, is the end without provenance', async (_, change, code) => {
    const { view } = await ran();
    const { logSize } = await server.admin.getStatus({});
    expect(await codeOf(finish(change(view)))).toBe(code);
    expect((await server.admin.getStatus({})).logSize).toBe(logSize);
    // no second try with a better story
    expect(await codeOf(finish(view))).toBe('RUN_FINISHED');
  });

  test('with an account that is none is the end too', async () => {
    const { run } = await ran();
    expect(await codeOf(server.admin.finishRun({ runUid: run.runUid, view: utf8('{}') }))).toBe('VIEW_INVALID');
    expect(await codeOf(server.admin.finishRun({ runUid: run.runUid, view: utf8('{}') }))).toBe('RUN_FINISHED');
  });

  describe('with an attempt', () => {
    let run: OpenedRun;
    let attempt: OpenedAttempt;
    let view: RunnerView;
    beforeEach(async () => {
      run = await createRun(server);
      attempt = await openAttempt(agent, run);
      view = { runUid: run.runUid, isolation: 'isolated', started: 1, finished: 2, outcome: 'succeeded', taskRuns: [{ uid: run.taskRunUid, pipelineTask: '', outcome: 'succeeded', reason: '', steps: [], results: [] }] };
    });

    test('still open closes its roads', async () => {
      expect(await codeOf(finish(view))).toBe('STEP_MISSING');
      const { caller, spiffeId, id } = attempt;
      expect(await codeOf(sealAs(server, agent, { caller, spiffeId }, artifact('late')))).toBe('ATTEMPT_ENDED');
      expect(await codeOf(agent.node.closeAttempt({ attemptId: id, reason: 'ended' }))).toBe('ATTEMPT_ENDED');
    });

    test('that was lost has no provenance', async () => {
      await agent.node.closeAttempt({ attemptId: attempt.id, reason: 'lost' });
      expect(await codeOf(finish(view))).toBe('STEP_MISSING');
    });

    test.each([
      ['a claim that the agent signed', async (): Promise<[Uint8Array, Uint8Array]> => {
        const evidence = await evidenceBundle(attempt);
        return [evidence, evidence];
      }, 'IDENTITY_MISMATCH'],
      ['evidence that the step signed', async (): Promise<[Uint8Array, Uint8Array]> => {
        const claim = await sealClaim(server, agent, attempt);
        return [claim, claim];
      }, 'IDENTITY_MISMATCH'],
      ['a claim that is no bundle', async (): Promise<[Uint8Array, Uint8Array]> => [utf8('{}'), await evidenceBundle(attempt)], 'BUNDLE_INVALID'],
      ['a claim that is a signature over an artifact', async (): Promise<[Uint8Array, Uint8Array]> => {
        const [sealed] = await sealAs(server, agent, attempt, artifact('a'));
        return [sealed!.bundle, await evidenceBundle(attempt)];
      }, 'TYPE_MISMATCH'],
    ])('with %s has no provenance', async (_, bundles, code) => {
      const [claimBundle, evidence] = await bundles();
      await agent.node.closeAttempt({ attemptId: attempt.id, reason: 'ended', claimBundle, evidenceBundle: evidence });
      expect(await codeOf(finish(view))).toBe(code);
      expect(server.logged.at(-1)).toContain(code);
    });
  });
});

test('two attempts of one step are two claims, and no provenance', async () => {
  const { run, view } = await ran();
  const second = await agent.node.openAttempt({ taskRunUid: run.taskRunUid, step: 'build', attempt: 1, observed: observed() });
  expect(second.attemptId).not.toBe('');
  expect(await codeOf(finish(view))).toBe('STEP_MISSING');
});

async function evidenceBundle({ evidence }: OpenedAttempt): Promise<Uint8Array> {
  const [sealed] = await sealAs(server, agent, { caller: SELF, spiffeId: agent.id }, statement(nodeEvidence(evidence)));
  return sealed!.bundle;
}

function withStep(view: RunnerView, change: Partial<ViewedStep>): RunnerView {
  const [taskRun] = view.taskRuns;
  const [first, ...rest] = taskRun!.steps;
  return { ...view, taskRuns: [{ ...taskRun!, steps: [{ ...first!, ...change }, ...rest] }] };
}
