import { randomUUID } from 'node:crypto';
import { sha256 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import type { Isolation } from '../provenance/evidence.ts';
import { type Dependency, type ExpectedStep, type ExpectedTaskRun, externalParametersDigest, type RunFacts } from '../provenance/facts.ts';
import type { Outgoing } from '../rpc/definition.ts';
import type { CreateRunRequest, RunSchema } from '../rpc/gen/stepseal/admin_pb.js';
import { createRun as keepRun, type Run, readRun, runOfTaskRun } from '../store/runs.ts';
import { identityPath } from '../task/identity.ts';
import { planRun } from '../task/plan.ts';
import { readDocuments } from '../task/readDocuments.ts';
import type { RunPlan } from '../task/runPlan.ts';
import { readValue, type Values } from '../task/value.ts';
import type { Core } from './core.ts';

/** A run as the server resolved it; kept as JSON, so that a restart changes nothing. */
export interface KeptRun {
  readonly plan: RunPlan;
  readonly isolation: Isolation;
  /** the files that the plan was made from */
  readonly documents: readonly { readonly name: string; readonly sha256: string }[];
}

export interface KnownRun {
  readonly kept: KeptRun;
  readonly facts: RunFacts;
  readonly parametersDigest: string;
  readonly finished: boolean;
}

/** Reads the Task itself and gives every TaskRun its UID. Throws RUN_INVALID and what planRun and readDocuments throw. */
export function createRun(core: Core, request: CreateRunRequest): Outgoing<typeof RunSchema> {
  const { isolation } = request;
  if (isolation !== 'isolated' && isolation !== 'unisolated') {
    throw new StepsealError('RUN_INVALID', 'the isolation is not as it should be', { expected: 'isolated or unisolated', found: isolation });
  }
  const plan = planRun(readDocuments(request.documents), { params: paramsOf(request.params), workspaces: request.workspaces, entry: request.entry });
  const uid = randomUUID();
  const taskRuns = plan.taskRuns.map(({ pipelineTask, task }) => ({ uid: randomUUID(), pipelineTask, task }));
  const documents = request.documents.map(({ name, yaml }) => ({ name, sha256: toHex(sha256(yaml)) }));
  const kept: KeptRun = { plan, isolation, documents };
  keepRun(core.db, { uid, plan: JSON.stringify(kept), taskRuns, now: core.clock.now() });
  core.log.info({ run: uid, kind: plan.kind, taskRuns: taskRuns.length, isolation }, 'run created');
  return { runUid: uid, taskRuns };
}

/** The run behind a TaskRun and the step in it. Throws RUN_UNKNOWN, STEP_UNEXPECTED. */
export function stepOfRun(core: Core, taskRunUid: string, stepName: string): { run: KnownRun; taskRun: ExpectedTaskRun; step: ExpectedStep } {
  const run = knownRun(core, readRun(core.db, runOfTaskRun(core.db, taskRunUid)));
  const taskRun = run.facts.taskRuns.find(({ uid }) => uid === taskRunUid)!;
  const step = taskRun.steps.find(({ name }) => name === stepName);
  if (step === undefined) {
    throw new StepsealError('STEP_UNEXPECTED', 'the Task of this run has no such step', { expected: taskRun.steps.map(({ name }) => name).join(', '), found: stepName });
  }
  return { run, taskRun, step };
}

export function knownRun(core: Core, run: Run): KnownRun {
  const kept = JSON.parse(run.plan) as KeptRun;
  const facts = factsOf(core.trustDomain, run, kept);
  return { kept, facts, parametersDigest: externalParametersDigest(facts.externalParameters), finished: run.finished !== undefined };
}

function factsOf(trustDomain: string, run: Run, { plan, isolation, documents }: KeptRun): RunFacts {
  const [first] = plan.taskRuns;
  return {
    trustDomain,
    runUid: run.uid,
    isolation,
    externalParameters: {
      definition: plan.kind === 'PipelineRun'
        ? { kind: 'Pipeline', name: plan.pipeline, sha256: plan.pipelineDigest }
        : { kind: 'Task', name: first!.task, sha256: first!.spec.digest },
      params: plan.params,
      workspaces: Object.keys(plan.workspaces).toSorted(),
    },
    dependencies: documents.map(({ name, sha256: digest }): Dependency => ({ name, uri: '', digest: { sha256: digest }, source: 'control-plane' })),
    taskRuns: plan.taskRuns.map((taskRun, index) => ({
      uid: run.taskRuns[index]!.uid,
      pipelineTask: taskRun.pipelineTask,
      task: taskRun.task,
      taskDigest: taskRun.spec.digest,
      steps: taskRun.spec.steps.map((step) => ({
        name: step.name,
        identity: `spiffe://${trustDomain}${identityPath(taskRun, step)}`,
        image: step.image,
        results: step.results.map(({ name, type }) => ({ name, type })),
      })),
      results: taskRun.spec.results.map(({ name, type }) => ({ name, type })),
    })),
  };
}

function paramsOf(params: Readonly<Record<string, string>>): Values {
  return Object.fromEntries(Object.entries(params).map(([name, json]) => [name, readValue(new Reader(parseJson(json), `params.${name}`, 'RUN_INVALID'))]));
}
