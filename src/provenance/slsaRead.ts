import { StepsealError } from '../base/errors.ts';
import { canonicalJson } from '../base/json.ts';
import { isObject, Reader } from '../base/read.ts';
import { type DigestSet, readDigestSet } from '../envelope/digest.ts';
import { parseStatement, type Statement } from '../envelope/statement.ts';
import { parseTime } from '../base/time.ts';
import { sha256, utf8 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { readChoice, readDigest, readSha256, readUid } from './read.ts';
import { readResultType, type ResultType } from './result.ts';
import type { Isolation } from './evidence.ts';
import type { Outcome } from './run.ts';
import { BUILD_TYPE, SLSA_PROVENANCE } from './uris.ts';

export interface ProvenStep {
  readonly name: string;
  readonly identity: string;
  readonly image: string;
  readonly outcome: Outcome;
}

export interface ProvenTaskRun {
  readonly uid: string;
  readonly pipelineTask: string;
  readonly task: string;
  readonly taskDigest: string;
  readonly outcome: Outcome;
  readonly steps: readonly ProvenStep[];
}

interface OfAttempt {
  readonly taskRunUid: string;
  readonly step: string;
  readonly attempt: string;
  /** hex */
  readonly sha256: string;
}

export type Byproduct =
  | ({ readonly kind: 'step-claim' | 'node-evidence' } & OfAttempt)
  | ({ readonly kind: 'result'; readonly scope: 'task' | 'step'; readonly result: string; readonly type: ResultType } & OfAttempt);

/** Provenance of our build type, read for verification. */
export interface Provenance {
  readonly statement: Statement;
  /** SHA-256 of the external parameters' RFC 8785 JSON, hex: what the evidence of each attempt must carry */
  readonly parametersDigest: string;
  readonly runUid: string;
  readonly isolation: Isolation;
  readonly taskRuns: readonly ProvenTaskRun[];
  /** what went in; the name, or else the URI, as the builder gave it */
  readonly dependencies: readonly { readonly name: string; readonly digest: DigestSet }[];
  readonly builderId: string;
  readonly invocationId: string;
  /** ms since the epoch */
  readonly started: number;
  readonly finished: number;
  readonly byproducts: readonly Byproduct[];
}

/**
 * SLSA v1 provenance of BUILD_TYPE. Unknown members are ignored, as SLSA asks, except in external parameters.
 * Throws TYPE_MISMATCH, PARAM_UNEXPECTED, PROVENANCE_INVALID, TIME_INVALID, DIGEST_* and the codes of parseStatement.
 */
export function parseProvenance(payload: Uint8Array): Provenance {
  const statement = parseStatement(payload, SLSA_PROVENANCE);
  const reader = new Reader(statement.predicate, 'predicate', 'PROVENANCE_INVALID');
  const definition = reader.at('buildDefinition');
  definition.at('buildType').string(BUILD_TYPE, new RegExp(`^${BUILD_TYPE.replaceAll('.', '\\.')}$`));
  const external = definition.at('externalParameters');
  readExternalParameters(external);
  const internal = definition.at('internalParameters');
  const details = reader.at('runDetails');
  const metadata = details.at('metadata');
  return {
    statement,
    parametersDigest: toHex(sha256(utf8(canonicalJson(external.value)))),
    runUid: readUid(internal.at('runUid')),
    isolation: readChoice(internal.at('isolation'), ['isolated', 'unisolated']),
    taskRuns: internal.at('taskRuns').array().map(readTaskRun),
    dependencies: definition.at('resolvedDependencies').optional((list) => list.array().map(readDependency)) ?? [],
    builderId: details.at('builder').at('id').string('a URI', /^https:\/\/[\x21-\x7e]+$/),
    invocationId: metadata.at('invocationId').string(),
    started: parseTime(metadata.at('startedOn').string()),
    finished: parseTime(metadata.at('finishedOn').string()),
    byproducts: details.at('byproducts').array().map(readByproduct),
  };
}

function readDependency(item: Reader): Provenance['dependencies'][number] {
  const text = (name: string): string | undefined => item.at(name).optional((reader) => reader.string());
  return { name: text('name') ?? text('uri') ?? '', digest: readDigestSet(item.at('digest'), false) };
}

/** SLSA v1: "reject unrecognized fields in externalParameters", at every depth that we define. */
function readExternalParameters(reader: Reader): void {
  known(reader, 'definition', 'params', 'runSpec', 'workspaces');
  const definition = reader.at('definition');
  known(definition, 'kind', 'name', 'digest');
  readChoice(definition.at('kind'), ['Task', 'Pipeline']);
  definition.at('name').string();
  readDigest(definition.at('digest'));
  reader.at('runSpec').optional((spec) => {
    known(spec, 'digest');
    readDigest(spec.at('digest'));
  });
  for (const [name, value] of Object.entries(reader.at('params').object())) {
    const items = isObject(value) ? Object.values(value) : Array.isArray(value) ? value : [value];
    if (!items.every((item) => typeof item === 'string')) reader.at('params').at(name).fail('a string, an array of strings or an object of strings');
  }
  for (const workspace of reader.at('workspaces').array()) workspace.string();
}

function known(reader: Reader, ...names: readonly string[]): void {
  for (const name of Object.keys(reader.object())) {
    if (names.includes(name)) continue;
    throw new StepsealError('PARAM_UNEXPECTED', `${reader.path} has a member that the build type does not know`, { expected: names.join(', '), found: name });
  }
}

function readTaskRun(reader: Reader): ProvenTaskRun {
  return {
    uid: readUid(reader.at('uid')),
    pipelineTask: reader.at('pipelineTask').string(),
    task: reader.at('task').string(),
    taskDigest: readDigest(reader.at('digest')),
    outcome: readOutcome(reader.at('outcome')),
    steps: reader.at('steps').array().map((step) => ({
      name: step.at('name').string(),
      identity: step.at('identity').string(),
      image: step.at('image').string(),
      outcome: readOutcome(step.at('outcome')),
    })),
  };
}

function readOutcome(reader: Reader): Outcome {
  return readChoice(reader, ['succeeded', 'failed', 'skipped']);
}

function readByproduct(reader: Reader): Byproduct {
  const annotations = reader.at('annotations');
  const kind = readChoice(annotations.at('kind'), ['step-claim', 'node-evidence', 'result']);
  const ofAttempt = {
    taskRunUid: readUid(annotations.at('taskRunUid')),
    step: annotations.at('step').string(),
    attempt: readUid(annotations.at('attempt')),
    sha256: readSha256(reader.at('digest').at('sha256')),
  };
  if (kind !== 'result') return { kind, ...ofAttempt };
  return {
    kind,
    ...ofAttempt,
    scope: readChoice(annotations.at('scope'), ['task', 'step']),
    result: annotations.at('result').string(),
    type: readResultType(annotations.at('type')),
  };
}
