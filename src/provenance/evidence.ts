import { sha256, utf8 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { canonicalJson, type JsonObject, parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { formatTimeMs } from '../base/time.ts';
import { readChoice, readInteger, readMap, readSha256, readTime, readUid } from './read.ts';
import { ATTEMPT_EVIDENCE } from './uris.ts';

export type Isolation = 'isolated' | 'unisolated';
export type PeerMode = 'pidfd' | 'procfd';

/** Where a step finds its folders, as the step sees them; `renderStep` of the task room puts them into the step. */
export interface StepPaths {
  readonly results: string;
  readonly stepResults: string;
  readonly stepArtifacts: string;
  readonly taskArtifacts: string;
  readonly workingDir: string;
  /** name -> directory */
  readonly workspaces: Readonly<Record<string, string>>;
}

/** What an agent attested of a step's first process before it was let go (node.proto OpenAttemptRequest.observed). */
export interface Observed {
  readonly peer: PeerMode;
  readonly isolation: Isolation;
  /** inode of the pid namespace, decimal */
  readonly pidNamespace: string;
  readonly uid: number;
  readonly gid: number;
  /** SHA-256 of the canonical JSON of the RenderedStep that will be executed, hex */
  readonly rendered: string;
  readonly paths: StepPaths;
  /** as the Task declares it; '' where it declares none. A local run executes no image. */
  readonly image: string;
  /** ms since the epoch, the agent's clock */
  readonly attested: number;
}

/**
 * The evidence of one attempt: what the agent saw and what the server knows of the run. Its canonical JSON is embedded
 * in the step claim, and every certificate of the attempt carries its SHA-256.
 */
export interface AttemptEvidence {
  readonly attempt: string;
  /** SPIFFE ID that was granted */
  readonly identity: string;
  readonly runUid: string;
  readonly taskRunUid: string;
  /** '' for a single Task */
  readonly pipelineTask: string;
  readonly task: string;
  /** SHA-256 of the Task spec (RFC 8785), hex */
  readonly taskDigest: string;
  /** SHA-256 of the run's external parameters (RFC 8785), hex; see externalParametersDigest */
  readonly parametersDigest: string;
  readonly step: string;
  readonly attemptNumber: number;
  /** SPIFFE ID of the agent */
  readonly agent: string;
  readonly observed: Observed;
}

/** Canonical JSON of what the agent attested. */
export function encodeObserved(observed: Observed): Uint8Array {
  return utf8(canonicalJson(observedJson(observed)));
}

/** Strict inverse of encodeObserved. Throws EVIDENCE_INVALID, TIME_INVALID and the codes of parseJson. */
export function parseObserved(bytes: Uint8Array): Observed {
  return readObserved(new Reader(parseJson(bytes), 'observed', 'EVIDENCE_INVALID'));
}

/** Canonical JSON of an attempt's evidence. */
export function encodeEvidence(evidence: AttemptEvidence): Uint8Array {
  return utf8(canonicalJson(evidenceJson(evidence)));
}

/** Strict inverse of encodeEvidence. Throws EVIDENCE_INVALID, TIME_INVALID and the codes of parseJson. */
export function parseEvidence(bytes: Uint8Array): AttemptEvidence {
  return readEvidence(new Reader(parseJson(bytes), 'evidence', 'EVIDENCE_INVALID'));
}

/** The digest that certificates of the attempt carry: SHA-256 of the canonical JSON, 32 bytes. */
export function evidenceDigest(evidence: AttemptEvidence): Uint8Array {
  return sha256(encodeEvidence(evidence));
}

/** The same as lower-case hex. */
export function evidenceSha256(evidence: AttemptEvidence): string {
  return toHex(evidenceDigest(evidence));
}

export function evidenceJson(evidence: AttemptEvidence): JsonObject {
  return { type: ATTEMPT_EVIDENCE, ...evidence, observed: observedJson(evidence.observed) };
}

function observedJson(observed: Observed): JsonObject {
  return { ...observed, paths: { ...observed.paths, workspaces: { ...observed.paths.workspaces } }, attested: formatTimeMs(observed.attested) };
}

export function readEvidence(reader: Reader): AttemptEvidence {
  reader.only(
    'type', 'attempt', 'identity', 'runUid', 'taskRunUid', 'pipelineTask', 'task', 'taskDigest', 'parametersDigest', 'step', 'attemptNumber', 'agent', 'observed',
  );
  readChoice(reader.at('type'), [ATTEMPT_EVIDENCE]);
  return {
    attempt: readUid(reader.at('attempt')),
    identity: reader.at('identity').string(),
    runUid: readUid(reader.at('runUid')),
    taskRunUid: readUid(reader.at('taskRunUid')),
    pipelineTask: reader.at('pipelineTask').string(),
    task: reader.at('task').string(),
    taskDigest: readSha256(reader.at('taskDigest')),
    parametersDigest: readSha256(reader.at('parametersDigest')),
    step: reader.at('step').string(),
    attemptNumber: readInteger(reader.at('attemptNumber'), 0, 1000),
    agent: reader.at('agent').string(),
    observed: readObserved(reader.at('observed')),
  };
}

function readObserved(reader: Reader): Observed {
  reader.only('peer', 'isolation', 'pidNamespace', 'uid', 'gid', 'rendered', 'paths', 'image', 'attested');
  return {
    peer: readChoice(reader.at('peer'), ['pidfd', 'procfd']),
    isolation: readChoice(reader.at('isolation'), ['isolated', 'unisolated']),
    pidNamespace: reader.at('pidNamespace').string('an inode number', /^(?:0|[1-9]\d{0,19})$/),
    uid: readInteger(reader.at('uid'), 0, 0xffffffff),
    gid: readInteger(reader.at('gid'), 0, 0xffffffff),
    rendered: readSha256(reader.at('rendered')),
    paths: readPaths(reader.at('paths')),
    image: reader.at('image').string(),
    attested: readTime(reader.at('attested')),
  };
}

function readPaths(reader: Reader): StepPaths {
  reader.only('results', 'stepResults', 'stepArtifacts', 'taskArtifacts', 'workingDir', 'workspaces');
  return {
    results: reader.at('results').string(),
    stepResults: reader.at('stepResults').string(),
    stepArtifacts: reader.at('stepArtifacts').string(),
    taskArtifacts: reader.at('taskArtifacts').string(),
    workingDir: reader.at('workingDir').string(),
    workspaces: readMap(reader.at('workspaces'), (path) => path.string()),
  };
}
