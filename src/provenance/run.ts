import { utf8 } from '../base/bytes.ts';
import { canonicalJson, parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { type Isolation } from './evidence.ts';
import { compact, readChoice, readInteger, readSha256, readUid } from './read.ts';
import { readResultType, type ResultType } from './result.ts';

/** `failed`: ended with another exit code than 0, or by timeout; `skipped`: never started. */
export type Outcome = 'succeeded' | 'failed' | 'skipped';

/** A result as the runner used it. */
export interface ViewedResult {
  readonly name: string;
  readonly type: ResultType;
  /** of the raw bytes, hex */
  readonly sha256: string;
}

export interface ViewedStep {
  readonly name: string;
  readonly outcome: Outcome;
  /** absent where skipped, as are all that follow */
  readonly attempt?: string;
  readonly attemptNumber?: number;
  /** SHA-256 of the canonical JSON of what was executed, hex */
  readonly rendered?: string;
  readonly exitCode?: number;
  /** ms since the epoch, the runner's clock */
  readonly started?: number;
  readonly finished?: number;
}

export interface ViewedTaskRun {
  readonly uid: string;
  /** '' for a single Task */
  readonly pipelineTask: string;
  readonly outcome: Outcome;
  /** why it was skipped or failed; '' otherwise */
  readonly reason: string;
  readonly steps: readonly ViewedStep[];
  /** task results after the last step */
  readonly results: readonly ViewedResult[];
}

/** What the runner says happened (admin.proto FinishRunRequest.view): one of the three views of the cross-check. */
export interface RunnerView {
  readonly runUid: string;
  readonly isolation: Isolation;
  /** ms since the epoch */
  readonly started: number;
  readonly finished: number;
  readonly outcome: Outcome;
  /** every TaskRun that the server created, also those that were skipped */
  readonly taskRuns: readonly ViewedTaskRun[];
}

/** Canonical JSON; times stay numbers, since nothing of this is signed as it is. */
export function encodeRunnerView(view: RunnerView): Uint8Array {
  return utf8(canonicalJson(view));
}

/** Strict inverse. Throws VIEW_INVALID and the codes of parseJson. */
export function parseRunnerView(bytes: Uint8Array): RunnerView {
  const reader = new Reader(parseJson(bytes), 'view', 'VIEW_INVALID');
  reader.only('runUid', 'isolation', 'started', 'finished', 'outcome', 'taskRuns');
  return {
    runUid: readUid(reader.at('runUid')),
    isolation: readChoice(reader.at('isolation'), ['isolated', 'unisolated']),
    started: readMs(reader.at('started')),
    finished: readMs(reader.at('finished')),
    outcome: readOutcome(reader.at('outcome')),
    taskRuns: reader.at('taskRuns').array().map(readTaskRun),
  };
}

function readTaskRun(reader: Reader): ViewedTaskRun {
  reader.only('uid', 'pipelineTask', 'outcome', 'reason', 'steps', 'results');
  return {
    uid: readUid(reader.at('uid')),
    pipelineTask: reader.at('pipelineTask').string(),
    outcome: readOutcome(reader.at('outcome')),
    reason: reader.at('reason').string(),
    steps: reader.at('steps').array().map(readStep),
    results: reader.at('results').array().map(readViewedResult),
  };
}

function readStep(reader: Reader): ViewedStep {
  reader.only('name', 'outcome', 'attempt', 'attemptNumber', 'rendered', 'exitCode', 'started', 'finished');
  return compact({
    name: reader.at('name').string(),
    outcome: readOutcome(reader.at('outcome')),
    attempt: reader.at('attempt').optional(readUid),
    attemptNumber: reader.at('attemptNumber').optional((value) => readInteger(value, 0, 1000)),
    rendered: reader.at('rendered').optional(readSha256),
    exitCode: reader.at('exitCode').optional((value) => readInteger(value, -1, 255)),
    started: reader.at('started').optional(readMs),
    finished: reader.at('finished').optional(readMs),
  }) as unknown as ViewedStep;
}

function readViewedResult(reader: Reader): ViewedResult {
  reader.only('name', 'type', 'sha256');
  return { name: reader.at('name').string('a name', /./), type: readResultType(reader.at('type')), sha256: readSha256(reader.at('sha256')) };
}

function readOutcome(reader: Reader): Outcome {
  return readChoice(reader, ['succeeded', 'failed', 'skipped']);
}

function readMs(reader: Reader): number {
  return readInteger(reader, 0, Number.MAX_SAFE_INTEGER);
}
