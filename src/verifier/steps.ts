import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { type StepClaim, parseClaim } from '../provenance/claim.ts';
import { evidenceSha256 } from '../provenance/evidence.ts';
import { type NodeEvidence, parseNodeEvidence } from '../provenance/nodeEvidence.ts';
import type { Byproduct, Provenance, ProvenStep } from '../provenance/slsaRead.ts';
import { NODE_EVIDENCE, STEP_CLAIM } from '../provenance/uris.ts';
import { matchIdentity, parseIdentityPattern } from '../spiffe/pattern.ts';
import { parseSpiffeId } from '../spiffe/id.ts';
import { certificateEvidence } from '../x509/evidence.ts';
import { checkBundle, type Context, type Expectation } from './bundle.ts';
import { counted } from './counted.ts';
import { type EvidenceSet, missing } from './evidenceSet.ts';
import type { OpenedBundle } from './opened.ts';
import { checkRole } from './role.ts';
import { check, combine, failed, notChecked, type Verdict } from './verdict.ts';

/** A step whose claim and node evidence were found and read; whether they hold is in the verdict. */
export interface LinkedStep {
  readonly step: ProvenStep;
  readonly byproduct: Byproduct;
  readonly claim: StepClaim;
  readonly claimBundle: OpenedBundle;
  readonly node: NodeEvidence;
  readonly nodeBundle: OpenedBundle;
}

export interface StepResult {
  readonly verdict: Verdict;
  readonly linked: LinkedStep | undefined;
}

/** The steps that ran are exactly those whose claims and evidence are listed. STEP_MISSING, STEP_UNEXPECTED, EVIDENCE_INCOMPLETE. */
export function checkStepSet({ taskRuns, byproducts }: Provenance): Verdict {
  return check('steps', () => {
    const key = (taskRunUid: string, step: string): string => `step ${step} of TaskRun ${taskRunUid}`;
    const ran = taskRuns.flatMap(({ uid, steps }) => steps.filter(({ outcome }) => outcome !== 'skipped').map(({ name }) => key(uid, name)));
    const keysOf = (kind: Byproduct['kind']): string[] => byproducts.filter((byproduct) => byproduct.kind === kind).map(({ taskRunUid, step }) => key(taskRunUid, step));
    const claimed = keysOf('step-claim');
    const seen = keysOf('node-evidence');
    const all = [...claimed, ...seen, ...keysOf('result')];
    const twice = (items: readonly string[]): string | undefined => items.find((item, index) => items.indexOf(item) !== index);
    const extra = all.find((item) => !ran.includes(item)) ?? twice(claimed) ?? twice(seen);
    if (extra !== undefined) throw new StepsealError('STEP_UNEXPECTED', 'the provenance lists a step that is not part of the run', { expected: ran.join(', '), found: extra });
    const unclaimed = ran.find((item) => !claimed.includes(item));
    if (unclaimed !== undefined) throw new StepsealError('STEP_MISSING', 'a step that ran has no claim in the provenance', { expected: unclaimed });
    const unseen = ran.find((item) => !seen.includes(item));
    if (unseen !== undefined) throw new StepsealError('EVIDENCE_INCOMPLETE', 'a step that ran has no node evidence in the provenance', { expected: unseen });
    return `${ran.length} ran, each is accounted for`;
  });
}

/** One listed claim, with the node evidence of the same step. Who signed them is a matter of roles, not of the caller's pattern. */
export function checkStep(byproduct: Byproduct, provenance: Provenance, set: EvidenceSet, issuer: string | undefined, context: Context): StepResult {
  const signer: Expectation = { identity: 'any', ...(issuer !== undefined && { issuer }) };
  const of = `${byproduct.step} (TaskRun ${byproduct.taskRunUid})`;
  const step = provenance.taskRuns.find(({ uid }) => uid === byproduct.taskRunUid)?.steps.find(({ name }) => name === byproduct.step);
  const evidence = provenance.byproducts.find(({ kind, taskRunUid, step: name }) => kind === 'node-evidence' && taskRunUid === byproduct.taskRunUid && name === byproduct.step);
  if (step === undefined || evidence === undefined) return { verdict: combine('step', '', [notChecked('claim', 'steps')], { of }), linked: undefined };
  const claim = best(
    find(set, byproduct, STEP_CLAIM).map((bundle) => checkClaim(bundle, step, signer, context)),
    'claim',
    () => absent(set, byproduct, STEP_CLAIM, 'STEP_MISSING', `the claim of step ${step.name} was not provided`),
  );
  const node = best(
    find(set, evidence, NODE_EVIDENCE).map((bundle) => checkNode(bundle, claim.value, signer, context)),
    'node',
    () => absent(set, evidence, NODE_EVIDENCE, 'EVIDENCE_INCOMPLETE', `the node evidence of step ${step.name} was not provided`),
  );
  const verdict = combine('step', `claimed by ${step.identity}, seen by its node`, [claim.verdict, node.verdict], { of });
  if (claim.value === undefined || node.value === undefined) return { verdict, linked: undefined };
  return { verdict, linked: { step, byproduct, claim: claim.value, claimBundle: claim.bundle!, node: node.value, nodeBundle: node.bundle! } };
}

interface Found<T> {
  readonly verdict: Verdict;
  readonly value: T | undefined;
  readonly bundle: OpenedBundle | undefined;
}

/** Several bundles may hold the same payload; one that holds is enough. */
function best<T>(candidates: readonly Found<T>[], link: 'claim' | 'node', none: () => StepsealError): Found<T> {
  return candidates.find(({ verdict }) => verdict.status === 'ok') ?? candidates[0] ?? { verdict: failed(link, none()), value: undefined, bundle: undefined };
}

function find(set: EvidenceSet, { sha256 }: Byproduct, predicateType: string): OpenedBundle[] {
  return set.bundles.filter(({ statement, contentSha256 }) => statement?.predicateType === predicateType && contentSha256 === sha256);
}

function absent(set: EvidenceSet, byproduct: Byproduct, predicateType: string, code: 'STEP_MISSING' | 'EVIDENCE_INCOMPLETE', message: string): StepsealError {
  const others = set.bundles.filter(({ statement }) => statement?.predicateType === predicateType && attemptIn(statement.predicate) === byproduct.attempt);
  if (others.length === 0) return missing(set, new StepsealError(code, message, { expected: `sha256:${byproduct.sha256}`, found: 'nothing' }));
  return new StepsealError('BYPRODUCT_DIGEST_MISMATCH', 'what was provided is not what the provenance lists', {
    expected: byproduct.sha256,
    found: others.map(({ name, contentSha256 }) => `${contentSha256} (${name})`).join(', '),
  });
}

function attemptIn(predicate: Record<string, unknown>): unknown {
  const { attempt, evidence } = predicate;
  return attempt ?? (evidence as Record<string, unknown> | undefined)?.['attempt'];
}

function checkClaim(bundle: OpenedBundle, step: ProvenStep, signer: Expectation, context: Context): Found<StepClaim> {
  let value: StepClaim | undefined;
  const content = check('claim', () => {
    value = parseClaim(payloadOf(bundle));
    return `${counted(value.results.length, 'result')}, ${counted(value.artifacts.length, 'artifact')}`;
  });
  const certificate = value === undefined ? notChecked('evidence', 'claim') : checkCertificateEvidence(bundle, value);
  const children = [checkBundle(bundle, signer, context), checkRole(bundle, step.identity, 'the claim'), content, certificate];
  return { verdict: combine('claim', `made for ${step.identity}`, children, { of: bundle.name, evidence: { payload: bundle.contentSha256 } }), value, bundle };
}

/** The certificate was issued for this attempt, on this evidence, to a key that the agent holds. */
function checkCertificateEvidence({ certificate }: OpenedBundle, { attempt, evidence }: StepClaim): Verdict {
  return check('evidence', () => {
    const found = certificateEvidence(certificate);
    const digest = evidenceSha256(evidence);
    if (found?.digest === undefined || toHex(found.digest) !== digest) {
      throw new StepsealError('EVIDENCE_MISMATCH', 'the certificate was issued on other evidence than the claim carries', { expected: digest, found: found?.digest === undefined ? 'none' : toHex(found.digest) });
    }
    if (found.attempt !== attempt) throw new StepsealError('ATTEMPT_MISMATCH', 'the certificate was issued for another attempt', { expected: attempt, found: found.attempt ?? 'none' });
    if (found.custody !== 'seal') throw new StepsealError('SIGNER_ROLE_MISMATCH', 'the key of a claim is held by the agent', { expected: 'seal', found: found.custody });
    return { message: 'the certificate carries the evidence of the claim', evidence: { evidence: digest } };
  });
}

function checkNode(bundle: OpenedBundle, claim: StepClaim | undefined, signer: Expectation, context: Context): Found<NodeEvidence> {
  let value: NodeEvidence | undefined;
  const content = check('node', () => {
    value = parseNodeEvidence(payloadOf(bundle));
    if (claim !== undefined) checkAgainstClaim(value, claim);
    return `exit code ${value.exitCode}, ${value.evidence.observed.isolation}, peer by ${value.evidence.observed.peer}`;
  });
  const role = value === undefined ? notChecked('identity', 'node') : checkAgent(bundle, value);
  const children = [checkBundle(bundle, signer, context), role, content];
  return { verdict: combine('node', 'what the node saw', children, { of: bundle.name, evidence: { payload: bundle.contentSha256 } }), value, bundle };
}

/** An agent of the step's own trust domain, and the one that opened the attempt. */
function checkAgent(bundle: OpenedBundle, { evidence }: NodeEvidence): Verdict {
  const { trustDomain } = parseSpiffeId(evidence.identity);
  return check('identity', () => {
    const pattern = parseIdentityPattern(`spiffe://${trustDomain}/spire/agent/**`);
    if (bundle.uri !== evidence.agent || !matchIdentity(pattern, parseSpiffeId(bundle.uri)).matched) {
      throw new StepsealError('SIGNER_ROLE_MISMATCH', 'node evidence is not signed by the agent of the attempt', { expected: `${evidence.agent}, as ${pattern.text}`, found: bundle.uri });
    }
    return `the node evidence is signed by ${bundle.uri}`;
  });
}

function checkAgainstClaim(node: NodeEvidence, claim: StepClaim): void {
  const expected = evidenceSha256(claim.evidence);
  const found = evidenceSha256(node.evidence);
  if (node.evidence.runUid !== claim.runUid || node.evidence.taskRunUid !== claim.taskRunUid) {
    throw new StepsealError('RUN_UID_MISMATCH', 'node evidence is of another run', { expected: `${claim.runUid}/${claim.taskRunUid}`, found: `${node.evidence.runUid}/${node.evidence.taskRunUid}` });
  }
  if (expected !== found) throw new StepsealError('ATTEMPT_MISMATCH', 'claim and node evidence are of different attempts', { expected, found });
  const hashed = ({ name, scope, sha256 }: { name: string; scope: string; sha256: string }): string => `result ${scope}/${name} ${sha256}`;
  const listed = ({ name, sha256, observed }: { name: string; sha256: string; observed: boolean }): string => `artifact ${name} ${sha256} ${observed ? 'hashed' : 'declared'}`;
  const claimed = [...claim.results.map(hashed), ...claim.artifacts.map(listed)];
  const seen = new Set([...node.results.map(hashed), ...node.artifacts.map(listed)]);
  const unseen = claimed.find((item) => !seen.has(item));
  if (unseen !== undefined) throw new StepsealError('OUTPUT_NOT_OBSERVED', 'the claim lists what the node did not see', { expected: [...seen].join(', ') || 'nothing', found: unseen });
}

function payloadOf({ bundle: { content } }: OpenedBundle): Uint8Array {
  return content.kind === 'dsse' ? content.payload : content.digest;
}
