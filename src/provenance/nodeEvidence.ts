import { encodeStatement, parseStatement, STATEMENT_TYPE, type Statement } from '../envelope/statement.ts';
import { Reader } from '../base/read.ts';
import { formatTimeMs } from '../base/time.ts';
import { type ClaimedArtifact, readArtifact } from './claim.ts';
import { type AttemptEvidence, evidenceJson, evidenceSha256, readEvidence } from './evidence.ts';
import { readChoice, readDigest, readInteger, readTime } from './read.ts';
import type { ClaimedResult } from './result.ts';
import { NODE_EVIDENCE } from './uris.ts';

/** Why a step ended, as the runner told the agent: '' by itself. */
export type EndReason = '' | 'timeout' | 'error';

/** A result file as the agent hashed it: no type, no value. */
export type HashedResult = Pick<ClaimedResult, 'name' | 'scope' | 'sha256'>;

/** `https://stepseal.dev/node-evidence/v1`: what the node saw of one attempt, signed by the agent as itself. */
export interface NodeEvidence {
  readonly evidence: AttemptEvidence;
  /** ms since the epoch; start and end of the step's main process as the runner reported them */
  readonly started: number;
  readonly finished: number;
  readonly exitCode: number;
  readonly reason: EndReason;
  /** when the agent hashed results and artifacts, its own clock */
  readonly observed: number;
  readonly results: readonly HashedResult[];
  readonly artifacts: readonly ClaimedArtifact[];
}

/** The in-toto Statement of node evidence; its subject is the attempt, by its evidence. */
export function nodeEvidenceStatement(node: NodeEvidence): Statement {
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: `attempt/${node.evidence.attempt}`, digest: { sha256: evidenceSha256(node.evidence) } }],
    predicateType: NODE_EVIDENCE,
    predicate: {
      evidence: evidenceJson(node.evidence),
      started: formatTimeMs(node.started),
      finished: formatTimeMs(node.finished),
      exitCode: node.exitCode,
      reason: node.reason,
      observed: formatTimeMs(node.observed),
      results: node.results.map(({ name, scope, sha256 }) => ({ name, scope, digest: { sha256 } })),
      artifacts: node.artifacts.map(({ sha256, ...artifact }) => ({ ...artifact, digest: { sha256 } })),
    },
  };
}

/** Payload bytes: RFC 8785 JSON, UTF-8. */
export function encodeNodeEvidence(node: NodeEvidence): Uint8Array {
  return encodeStatement(nodeEvidenceStatement(node));
}

/** Strict inverse. Throws TYPE_MISMATCH, EVIDENCE_INVALID and the codes of parseStatement. */
export function parseNodeEvidence(payload: Uint8Array): NodeEvidence {
  const statement = parseStatement(payload, NODE_EVIDENCE);
  const reader = new Reader(statement.predicate, 'predicate', 'EVIDENCE_INVALID');
  reader.only('evidence', 'started', 'finished', 'exitCode', 'reason', 'observed', 'results', 'artifacts');
  const node = {
    evidence: readEvidence(reader.at('evidence')),
    started: readTime(reader.at('started')),
    finished: readTime(reader.at('finished')),
    exitCode: readInteger(reader.at('exitCode'), -1, 255),
    reason: readChoice(reader.at('reason'), ['', 'timeout', 'error']),
    observed: readTime(reader.at('observed')),
    results: reader.at('results').array().map(readHashedResult),
    artifacts: reader.at('artifacts').array().map(readArtifact),
  };
  if (statement.subject.length !== 1 || statement.subject[0]!.digest['sha256'] !== evidenceSha256(node.evidence)) {
    new Reader(statement.predicate['evidence'], 'subject', 'EVIDENCE_INVALID').fail('the attempt, by the digest of its evidence');
  }
  return node;
}

function readHashedResult(reader: Reader): HashedResult {
  reader.only('name', 'scope', 'digest');
  return { name: reader.at('name').string('a name', /./), scope: readChoice(reader.at('scope'), ['task', 'step']), sha256: readDigest(reader.at('digest')) };
}
