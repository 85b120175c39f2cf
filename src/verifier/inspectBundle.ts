import { toBase64 } from '../base/base64.ts';
import { isStepsealError, type StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { formatTime, formatTimeMs } from '../base/time.ts';
import type { TlogEntry } from '../envelope/tlogEntry.ts';
import type { Statement } from '../envelope/statement.ts';
import { parseCheckpoint, type SignedCheckpoint } from '../merkle/checkpoint.ts';
import { parseClaim } from '../provenance/claim.ts';
import type { AttemptEvidence } from '../provenance/evidence.ts';
import { parseNodeEvidence } from '../provenance/nodeEvidence.ts';
import { parseProvenance } from '../provenance/slsaRead.ts';
import { NODE_EVIDENCE, SLSA_PROVENANCE, STEP_CLAIM } from '../provenance/uris.ts';
import { parseTimestampResponse } from '../x509/timestamp.ts';
import { counted } from './counted.ts';
import { explain, type Explanation } from './explanation.ts';
import { explainCertificate } from './inspectCertificate.ts';
import { openBundle } from './opened.ts';

/** A Sigstore bundle and all that it carries, nothing verified. Throws what openBundle throws. */
export function explainBundle(bytes: Uint8Array): Explanation {
  const { bundle, certificate, uri, statement, contentSha256 } = openBundle(bytes, 'bundle');
  return explain(
    'Sigstore bundle v0.3',
    [
      ['holds', statement === undefined ? 'a signature over an artifact' : `a signed statement, ${statement.predicateType}`],
      [statement === undefined ? 'artifact' : 'payload', `sha256:${contentSha256}`],
      ['signer', uri || 'see the certificate'],
      ['note', 'nothing of this was verified; stepseal verify does that'],
    ],
    [
      ...(statement === undefined || bundle.content.kind !== 'dsse' ? [] : [explainStatement(statement, bundle.content.payload)]),
      explainCertificate(certificate),
      ...bundle.timestamps.map(explainTimestamp),
      ...bundle.tlogEntries.map(explainEntry),
    ],
  );
}

function explainStatement(statement: Statement, payload: Uint8Array): Explanation {
  const subjects = statement.subject.map(({ name, digest }) => ['about', `${name ?? 'no name'} ${Object.entries(digest).map(([algorithm, value]) => `${algorithm}:${value}`).join(' ')}`] as const);
  try {
    const [title, facts] = meaningOf(statement.predicateType, payload);
    return explain(title, [...subjects, ...facts]);
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return explain('Statement', [...subjects, ['type', statement.predicateType], ['fault', faultOf(error)]]);
  }
}

type Facts = readonly (readonly [string, string | undefined])[];

function meaningOf(predicateType: string, payload: Uint8Array): readonly [string, Facts] {
  switch (predicateType) {
    case STEP_CLAIM: {
      const claim = parseClaim(payload);
      return [
        'Step claim: what a step left, as its agent observed it',
        [
          ...evidenceFacts(claim.evidence),
          ...claim.results.map(({ name, scope, type, sha256, value }) => ['result', `${scope} ${name} (${type}) sha256:${sha256}${value === undefined ? '' : ` ${JSON.stringify(value)}`}`] as const),
          ...claim.artifacts.map(({ name, observed }) => ['artifact', `${name}, ${observed ? 'hashed by the agent' : 'on the word of the step'}`] as const),
          ...claim.inputs.map(({ name, uri, sha256 }) => ['input', `${name} ${uri} sha256:${sha256}`] as const),
          ...claim.seals.map(({ kind, sha256 }) => ['sealed before', `${kind} sha256:${sha256}`] as const),
        ],
      ];
    }
    case NODE_EVIDENCE: {
      const node = parseNodeEvidence(payload);
      return [
        'Node evidence: what the agent saw of one attempt',
        [
          ...evidenceFacts(node.evidence),
          ['ran', `${formatTimeMs(node.started)} to ${formatTimeMs(node.finished)}, exit code ${node.exitCode}${node.reason === '' ? '' : `, ${node.reason}`}`],
          ['hashed', `${counted(node.results.length, 'result')} and ${counted(node.artifacts.length, 'artifact')} at ${formatTimeMs(node.observed)}`],
        ],
      ];
    }
    case SLSA_PROVENANCE: {
      const provenance = parseProvenance(payload);
      return [
        'SLSA provenance v1 of a Stepseal run',
        [
          ['builder', provenance.builderId],
          ['run', provenance.invocationId],
          ['ran', `${formatTimeMs(provenance.started)} to ${formatTimeMs(provenance.finished)}, ${provenance.isolation}`],
          ...provenance.taskRuns.flatMap(({ uid, steps }) => steps.map(({ name, identity, outcome }) => ['step', `${name} of TaskRun ${uid}: ${outcome}, ${identity}`] as const)),
          ...provenance.dependencies.map(({ name, digest }) => ['made from', `${name} ${Object.entries(digest).map(([algorithm, hex]) => `${algorithm}:${hex}`).join(' ')}`] as const),
          ...provenance.byproducts.map((byproduct) => ['by-product', `${byproduct.kind}${byproduct.kind === 'result' ? ` ${byproduct.result}` : ''} of step ${byproduct.step} sha256:${byproduct.sha256}`] as const),
        ],
      ];
    }
    default:
      return ['Statement', [['type', predicateType]]];
  }
}

function evidenceFacts(evidence: AttemptEvidence): Facts {
  const { observed } = evidence;
  return [
    ['attempt', `${evidence.attempt}, number ${evidence.attemptNumber} of step ${evidence.step}`],
    ['run', `${evidence.runUid}, TaskRun ${evidence.taskRunUid}`],
    ['task', `${evidence.pipelineTask === '' ? '' : `${evidence.pipelineTask}: `}${evidence.task} sha256:${evidence.taskDigest}`],
    ['identity', evidence.identity],
    ['agent', evidence.agent],
    ['attested', `uid ${observed.uid}, gid ${observed.gid}, pid namespace ${observed.pidNamespace}, ${observed.isolation}, peer by ${observed.peer}, at ${formatTimeMs(observed.attested)}`],
    ['executed', `rendered step sha256:${observed.rendered}`],
    ['image', observed.image === '' ? undefined : `${observed.image} (declared; a local run executes none)`],
  ];
}

function explainTimestamp(der: Uint8Array): Explanation {
  try {
    const { genTime, imprint, policy, serial } = parseTimestampResponse(der);
    return explain('Timestamp', [['time', formatTime(genTime)], ['over', `${imprint.hash}:${toHex(imprint.digest)} (the signature)`], ['policy', policy], ['serial', toHex(serial)]]);
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return explain('Timestamp', [['fault', faultOf(error)]]);
  }
}

function explainEntry(entry: TlogEntry): Explanation {
  const { kindVersion, logIndex, logId, inclusionProof } = entry;
  return explain(
    'Log entry',
    [
      ['entry', `${logIndex} of log ${toHex(logId)}`],
      ['kind', `${kindVersion.kind} ${kindVersion.version}`],
      ['proof', `${counted(inclusionProof.hashes.length, 'hash', 'hashes')} to the root of ${counted(inclusionProof.treeSize, 'entry', 'entries')}`],
    ],
    [checkpointPart(inclusionProof.checkpoint)],
  );
}

function checkpointPart(text: string): Explanation {
  try {
    return explainCheckpoint(parseCheckpoint(text));
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return explain('Checkpoint', [['fault', faultOf(error)]]);
  }
}

export function explainCheckpoint({ origin, size, root, extensions, note }: SignedCheckpoint): Explanation {
  return explain('Checkpoint', [
    ['log', origin],
    ['size', counted(size, 'entry', 'entries')],
    ['root', toBase64(root)],
    ...extensions.map((line) => ['extension', line] as const),
    ...note.signatures.map(({ name, keyHint }) => ['signed by', `${name}, key ${toHex(keyHint)}`] as const),
  ]);
}

function faultOf({ code, message }: StepsealError): string {
  return `${code}: ${message}`;
}
