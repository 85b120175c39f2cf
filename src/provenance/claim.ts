import { type Code, StepsealError } from '../base/errors.ts';
import { canonicalJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { encodeStatement, parseStatement, STATEMENT_TYPE, type Statement, type Subject } from '../envelope/statement.ts';
import { type AttemptEvidence, evidenceJson, evidenceSha256, readEvidence } from './evidence.ts';
import { readChoice, readDigest, readInteger, readUid } from './read.ts';
import { checkResult, type ClaimedResult, readResult, resultKey } from './result.ts';
import { STEP_CLAIM } from './uris.ts';

/** Something that a step names by digest: an artifact it made, or an input it used. */
export interface NamedDigest {
  readonly name: string;
  /** as the step declares it; '' where it declares none */
  readonly uri: string;
  /** hex */
  readonly sha256: string;
}

export interface ClaimedArtifact extends NamedDigest {
  /** true: the agent hashed the file; false: the step names a digest and no file stands behind it */
  readonly observed: boolean;
}

/** What the step itself had sealed before its end. */
export interface EarlierSeal {
  readonly kind: 'artifact' | 'statement';
  /** of the artifact, or of the statement payload; hex */
  readonly sha256: string;
}

/** `https://stepseal.dev/step/v1`: the one final claim of an attempt, made by the agent at the step's end. */
export interface StepClaim {
  readonly attempt: string;
  readonly identity: string;
  readonly runUid: string;
  readonly taskRunUid: string;
  readonly step: string;
  readonly attemptNumber: number;
  /** the agent observed all of it; the step could not add to it */
  readonly origin: 'observed';
  readonly results: readonly ClaimedResult[];
  readonly artifacts: readonly ClaimedArtifact[];
  /** as the step declares them */
  readonly inputs: readonly NamedDigest[];
  readonly seals: readonly EarlierSeal[];
  readonly evidence: AttemptEvidence;
}

export type ClaimContent = Pick<StepClaim, 'results' | 'artifacts' | 'inputs' | 'seals'>;

/** The claim of the attempt that `evidence` describes. Lists are put into one order, so that equal claims are equal bytes. */
export function stepClaim(evidence: AttemptEvidence, content: ClaimContent): StepClaim {
  const { attempt, identity, runUid, taskRunUid, step, attemptNumber } = evidence;
  return {
    attempt,
    identity,
    runUid,
    taskRunUid,
    step,
    attemptNumber,
    origin: 'observed',
    results: content.results.toSorted((a, b) => order(resultKey(a), resultKey(b))),
    artifacts: content.artifacts.toSorted(byNameAndDigest),
    inputs: content.inputs.toSorted(byNameAndDigest),
    seals: content.seals.toSorted((a, b) => order(`${a.kind}${a.sha256}`, `${b.kind}${b.sha256}`)),
    evidence,
  };
}


/** The in-toto Statement of a claim, to be encoded and sealed. */
export function claimStatement(claim: StepClaim): Statement {
  return {
    _type: STATEMENT_TYPE,
    subject: claimSubjects(claim),
    predicateType: STEP_CLAIM,
    predicate: {
      ...claim,
      results: claim.results.map(({ sha256, ...result }) => ({ ...result, digest: { sha256 } })),
      artifacts: claim.artifacts.map(({ sha256, ...artifact }) => ({ ...artifact, digest: { sha256 } })),
      inputs: claim.inputs.map(({ sha256, ...input }) => ({ ...input, digest: { sha256 } })),
      seals: claim.seals.map(({ sha256, ...seal }) => ({ ...seal, digest: { sha256 } })),
      evidence: evidenceJson(claim.evidence),
    },
  };
}

/** Payload bytes: RFC 8785 JSON, UTF-8. */
export function encodeClaim(claim: StepClaim): Uint8Array {
  return encodeStatement(claimStatement(claim));
}

/** One subject per artifact, in the claim's order; an attempt that left none is named by its evidence, as in-toto wants one subject at least. */
export function claimSubjects(claim: Pick<StepClaim, 'artifacts' | 'attempt' | 'evidence'>): Subject[] {
  if (claim.artifacts.length === 0) return [{ name: `attempt/${claim.attempt}`, digest: { sha256: evidenceSha256(claim.evidence) } }];
  return claim.artifacts.map(({ name, sha256 }) => ({ name, digest: { sha256 } }));
}

/**
 * Strict inverse of encodeClaim: what the claim says twice must agree. Throws TYPE_MISMATCH, CLAIM_INVALID,
 * CLAIM_ENCODING (a value that is not what its digest is over), RUN_UID_MISMATCH, ATTEMPT_MISMATCH, IDENTITY_MISMATCH
 * (claim and embedded evidence), SUBJECT_MISMATCH (subjects are not the artifacts), and the codes of parseStatement.
 */
export function parseClaim(payload: Uint8Array): StepClaim {
  const statement = parseStatement(payload, STEP_CLAIM);
  const claim = readClaim(new Reader(statement.predicate, 'predicate', 'CLAIM_INVALID'));
  for (const result of claim.results) checkResult(result);
  refuseTwice('results', claim.results.map(resultKey));
  refuseTwice('artifacts', claim.artifacts.map(({ name, sha256 }) => `${name} ${sha256}`));
  const { evidence } = claim;
  same('RUN_UID_MISMATCH', 'run UID', claim.runUid, evidence.runUid);
  same('RUN_UID_MISMATCH', 'TaskRun UID', claim.taskRunUid, evidence.taskRunUid);
  same('ATTEMPT_MISMATCH', 'attempt', claim.attempt, evidence.attempt);
  same('ATTEMPT_MISMATCH', 'attempt number', String(claim.attemptNumber), String(evidence.attemptNumber));
  same('ATTEMPT_MISMATCH', 'step', claim.step, evidence.step);
  same('IDENTITY_MISMATCH', 'identity', claim.identity, evidence.identity);
  same('SUBJECT_MISMATCH', 'subjects', canonicalJson(statement.subject), canonicalJson(claimSubjects(claim)));
  return claim;
}

function readClaim(reader: Reader): StepClaim {
  reader.only('attempt', 'identity', 'runUid', 'taskRunUid', 'step', 'attemptNumber', 'origin', 'results', 'artifacts', 'inputs', 'seals', 'evidence');
  return {
    attempt: readUid(reader.at('attempt')),
    identity: reader.at('identity').string(),
    runUid: readUid(reader.at('runUid')),
    taskRunUid: readUid(reader.at('taskRunUid')),
    step: reader.at('step').string(),
    attemptNumber: readInteger(reader.at('attemptNumber'), 0, 1000),
    origin: readChoice(reader.at('origin'), ['observed']),
    results: reader.at('results').array().map(readResult),
    artifacts: reader.at('artifacts').array().map(readArtifact),
    inputs: reader.at('inputs').array().map(readNamedDigest),
    seals: reader.at('seals').array().map(readSeal),
    evidence: readEvidence(reader.at('evidence')),
  };
}

export function readArtifact(reader: Reader): ClaimedArtifact {
  reader.only('name', 'uri', 'digest', 'observed');
  return { ...named(reader), observed: reader.at('observed').boolean() };
}

function readNamedDigest(reader: Reader): NamedDigest {
  return named(reader.only('name', 'uri', 'digest'));
}

function named(reader: Reader): NamedDigest {
  return { name: reader.at('name').string('a name', /./), uri: reader.at('uri').string(), sha256: readDigest(reader.at('digest')) };
}

function readSeal(reader: Reader): EarlierSeal {
  reader.only('kind', 'digest');
  return { kind: readChoice(reader.at('kind'), ['artifact', 'statement']), sha256: readDigest(reader.at('digest')) };
}

function refuseTwice(list: string, keys: readonly string[]): void {
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw new StepsealError('CLAIM_INVALID', `the claim lists something twice in its ${list}`, { found: twice });
}

function same(code: Code, what: string, expected: string, found: string): void {
  if (expected !== found) throw new StepsealError(code, `the claim and what it carries disagree on ${what}`, { expected, found });
}

function byNameAndDigest(a: NamedDigest, b: NamedDigest): number {
  return order(`${a.name} ${a.sha256}`, `${b.name} ${b.sha256}`);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
