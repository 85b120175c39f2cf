import { canonicalJson, type JsonObject } from '../base/json.ts';
import { encodeStatement, STATEMENT_TYPE, type Statement, type Subject } from '../envelope/statement.ts';
import { formatTimeMs } from '../base/time.ts';
import type { AttemptRecord } from './attempt.ts';
import type { CheckedRun } from './crossCheck.ts';
import { type Dependency, externalParametersDigest, externalParametersJson } from './facts.ts';
import { outsideInputs } from './linkage.ts';
import { BUILD_TYPE, builderId, invocationId, SLSA_PROVENANCE } from './uris.ts';

/** Where each field of the predicate comes from (SLSA v1 Build L3: everything by the control plane, exceptions named). */
const FIELD_SOURCES = {
  subject: 'tenant: the steps name their artifacts; the node hashed each that is not marked',
  'buildDefinition.externalParameters': 'control-plane',
  'buildDefinition.internalParameters': 'control-plane, cross-checked with node and runner',
  'buildDefinition.resolvedDependencies': 'as each entry says',
  'runDetails.builder': 'control-plane',
  'runDetails.metadata': 'runner, cross-checked with node',
  'runDetails.byproducts': 'node',
} as const;

/** The SLSA v1 provenance of a run whose views agree. `version` is Stepseal's own. Equal runs give equal bytes. */
export function provenanceStatement(run: CheckedRun, version: string): Statement {
  const { facts, view, attempts } = run;
  return {
    _type: STATEMENT_TYPE,
    subject: subjectsOf(run),
    predicateType: SLSA_PROVENANCE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: externalParametersJson(facts.externalParameters) as JsonObject,
        internalParameters: internalParametersOf(run),
        resolvedDependencies: [...facts.dependencies, ...outsideInputs(attempts.map(({ claim }) => claim))].map(dependencyJson),
      },
      runDetails: {
        builder: { id: builderId(facts.trustDomain, facts.isolation === 'isolated' ? 'local' : 'local-unisolated'), version: { stepseal: version } },
        metadata: {
          invocationId: invocationId(facts.trustDomain, facts.runUid),
          startedOn: formatTimeMs(view.started),
          finishedOn: formatTimeMs(view.finished),
        },
        byproducts: attempts.flatMap(byproductsOf),
      },
      stepseal_fieldSources: { ...FIELD_SOURCES },
    },
  };
}

/** Payload bytes: RFC 8785 JSON, UTF-8. */
export function encodeProvenance(run: CheckedRun, version: string): Uint8Array {
  return encodeStatement(provenanceStatement(run, version));
}

/** Every artifact once, in the order of the claims; the run itself where nothing was made, as in-toto wants one subject at least. */
function subjectsOf({ facts, attempts }: CheckedRun): Subject[] {
  const subjects = attempts.flatMap(({ claim }) =>
    claim.artifacts.map(({ name, sha256, observed }) => ({ name, digest: { sha256 }, ...(observed ? {} : { annotations: { observed: false } }) })),
  );
  const once = [...new Map(subjects.map((subject) => [canonicalJson(subject), subject])).values()];
  if (once.length > 0) return once;
  return [{ name: `run/${facts.runUid}`, digest: { sha256: externalParametersDigest(facts.externalParameters) } }];
}

function internalParametersOf({ facts, view }: CheckedRun): JsonObject {
  return {
    isolation: facts.isolation,
    runUid: facts.runUid,
    taskRuns: facts.taskRuns.map((taskRun) => {
      const seen = view.taskRuns.find(({ uid }) => uid === taskRun.uid)!;
      return {
        uid: taskRun.uid,
        pipelineTask: taskRun.pipelineTask,
        task: taskRun.task,
        digest: { sha256: taskRun.taskDigest },
        outcome: seen.outcome,
        steps: taskRun.steps.map((step, index) => ({ name: step.name, identity: step.identity, image: step.image, outcome: seen.steps[index]!.outcome })),
      };
    }),
  };
}

function dependencyJson({ name, uri, digest, source }: Dependency): JsonObject {
  return { name, ...(uri === '' ? {} : { uri }), digest: { ...digest }, annotations: { source } };
}

/** Claim, node evidence and results of one attempt, by digest. Names are for people, annotations for programs. */
function byproductsOf({ claim, claimSha256, nodeSha256 }: AttemptRecord): JsonObject[] {
  const place = `${claim.taskRunUid}/${claim.step}/${claim.attemptNumber}`;
  const annotations = { taskRunUid: claim.taskRunUid, step: claim.step, attempt: claim.attempt };
  return [
    { name: `claim/${place}`, digest: { sha256: claimSha256 }, mediaType: 'application/vnd.in-toto+json', annotations: { kind: 'step-claim', ...annotations } },
    { name: `evidence/${place}`, digest: { sha256: nodeSha256 }, mediaType: 'application/vnd.in-toto+json', annotations: { kind: 'node-evidence', ...annotations } },
    ...claim.results.map(({ name, scope, type, sha256 }) => ({
      name: `result/${place}/${scope}/${name}`,
      digest: { sha256 },
      annotations: { kind: 'result', ...annotations, scope, result: name, type },
    })),
  ];
}
