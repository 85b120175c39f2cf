import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { evidenceSha256 } from '../provenance/evidence.ts';
import { outsideInputs } from '../provenance/linkage.ts';
import type { Byproduct, Provenance } from '../provenance/slsaRead.ts';
import { SLSA_PROVENANCE } from '../provenance/uris.ts';
import { parseSpiffeId } from '../spiffe/id.ts';
import { certificateEvidence } from '../x509/evidence.ts';
import type { ArtifactDigests } from './content.ts';
import { counted } from './counted.ts';
import type { OpenedBundle } from './opened.ts';
import type { LinkedStep } from './steps.ts';
import { check, combine, type Verdict } from './verdict.ts';

/** How the parts hang together; `steps` are all that the provenance lists, in its order. */
export function checkGraph(provenance: Provenance, steps: readonly LinkedStep[], artifact: ArtifactDigests, signed: OpenedBundle, provenanceBundle: OpenedBundle): Verdict {
  const children = [
    check('run', () => checkRun(provenance, steps, parseSpiffeId(provenanceBundle.uri).trustDomain)),
    check('outputs', () => checkOutput(steps, artifact, signed)),
    check('results', () => checkResults(provenance, steps)),
    check('linkage', () => checkLinkage(provenance, steps)),
    check('keys', () => checkKeys([signed, provenanceBundle, ...steps.flatMap(({ claimBundle, nodeBundle }) => [claimBundle, nodeBundle])])),
  ];
  return combine('graph', `${counted(steps.length, 'step')} of run ${provenance.runUid}`, children);
}

/** All claims are of one run, the run of the provenance, and of its definition. */
function checkRun(provenance: Provenance, steps: readonly LinkedStep[], trustDomain: string): string {
  const runs = [...new Set(steps.map(({ claim }) => claim.runUid))];
  if (runs.length > 1) throw new StepsealError('CHAIN_INCONSISTENT', 'the claims are of different runs', { expected: provenance.runUid, found: runs.join(', ') });
  if (runs.some((uid) => uid !== provenance.runUid)) throw new StepsealError('RUN_UID_MISMATCH', 'the claims are of another run than the provenance', { expected: provenance.runUid, found: runs.join() });
  for (const { step, byproduct, claim } of steps) {
    const taskRun = provenance.taskRuns.find(({ uid }) => uid === byproduct.taskRunUid)!;
    if (claim.taskRunUid !== taskRun.uid) throw new StepsealError('RUN_UID_MISMATCH', `the claim of step ${step.name} is of another TaskRun`, { expected: taskRun.uid, found: claim.taskRunUid });
    if (claim.attempt !== byproduct.attempt) throw new StepsealError('ATTEMPT_MISMATCH', `the claim of step ${step.name} is of another attempt`, { expected: byproduct.attempt, found: claim.attempt });
    const { evidence } = claim;
    if (evidence.parametersDigest !== provenance.parametersDigest) {
      throw new StepsealError('PARAM_UNEXPECTED', `step ${step.name} ran with other external parameters than the provenance lists`, { expected: evidence.parametersDigest, found: provenance.parametersDigest });
    }
    const pairs: [string, string, string][] = [
      ['step', step.name, claim.step],
      ['trust domain', trustDomain, parseSpiffeId(step.identity).trustDomain],
      ['identity', step.identity, claim.identity],
      ['pipelineTask', taskRun.pipelineTask, evidence.pipelineTask],
      ['task', taskRun.task, evidence.task],
      ['Task digest', taskRun.taskDigest, evidence.taskDigest],
      ['isolation', provenance.isolation, evidence.observed.isolation],
      ['image', step.image, evidence.observed.image],
    ];
    const [field, expected, found] = pairs.find(([, a, b]) => a !== b) ?? [];
    if (field !== undefined) throw new StepsealError('CHAIN_INCONSISTENT', `provenance and claim of step ${step.name} disagree on ${field}`, { expected: expected!, found: found! });
  }
  return `all of run ${provenance.runUid}`;
}

/** The artifact was made by the step that signed it, in the attempt that its certificate names. */
function checkOutput(steps: readonly LinkedStep[], artifact: ArtifactDigests, signed: OpenedBundle): string {
  const digest = toHex(artifact.sha256);
  // provenance itself may be what the user asked about: then any step may have made the artifact
  const own = signed.statement?.predicateType === SLSA_PROVENANCE ? steps : steps.filter(({ claim }) => claim.identity === signed.uri);
  const makers = own.filter(({ claim }) =>
    signed.statement === undefined || signed.statement.predicateType === SLSA_PROVENANCE
      ? claim.artifacts.some(({ sha256 }) => sha256 === digest)
      : claim.seals.some(({ kind, sha256 }) => kind === 'statement' && sha256 === signed.contentSha256),
  );
  if (makers.length === 0) {
    throw new StepsealError('OUTPUT_NOT_OBSERVED', 'the step that signed it did not make it', {
      expected: `a claim by ${signed.uri} that lists it`,
      found: own.flatMap(({ claim }) => claim.artifacts.map(({ name, sha256 }) => `${name} ${sha256}`)).join(', ') || 'no artifact of that step',
    });
  }
  if (signed.statement?.predicateType !== SLSA_PROVENANCE) {
    const certified = certificateEvidence(signed.certificate)?.digest;
    if (certified === undefined || !makers.some(({ claim }) => evidenceSha256(claim.evidence) === toHex(certified))) {
      throw new StepsealError('ATTEMPT_MISMATCH', 'the artifact was signed in another attempt than the one that made it', { expected: makers.map(({ claim }) => claim.attempt).join(', '), found: certificateEvidence(signed.certificate)?.attempt ?? 'no attempt' });
    }
  }
  const observed = makers.some(({ claim }) => claim.artifacts.some((made) => made.sha256 === digest && made.observed));
  return `made by step ${makers.map(({ step }) => step.name).join(', ')}${observed ? ', hashed by its node' : ', on the word of the step: no file stood behind the digest'}`;
}

/** Each listed result is what the claim of its step has under that name, type and scope; a task result is what its first writer left. */
function checkResults({ byproducts }: Provenance, steps: readonly LinkedStep[]): string {
  const listed = byproducts.filter((byproduct): byproduct is Byproduct & { kind: 'result' } => byproduct.kind === 'result');
  const first = new Map<string, { sha256: string; step: string }>();
  for (const { byproduct, claim } of steps) {
    const own = listed.filter(({ taskRunUid, step }) => taskRunUid === byproduct.taskRunUid && step === byproduct.step);
    for (const result of own) {
      const same = claim.results.find(({ name, scope }) => name === result.result && scope === result.scope);
      const other = claim.results.find(({ sha256 }) => sha256 === result.sha256);
      if (same?.sha256 !== result.sha256) {
        throw other === undefined
          ? new StepsealError('RESULT_NOT_SIGNED_BY_PRODUCER', `result ${result.result} is not what step ${claim.step} left`, { expected: same?.sha256 ?? 'no such result in the claim', found: result.sha256 })
          : new StepsealError('CLAIM_NAME_MISMATCH', `result ${result.result} has the digest that was claimed for ${other.name}`, { expected: same?.sha256 ?? 'nothing', found: result.sha256 });
      }
      if (same.type !== result.type) throw new StepsealError('CLAIM_ENCODING', `result ${result.result} is of another type than claimed`, { expected: same.type, found: result.type });
      if (result.scope !== 'task') continue;
      const key = `${result.taskRunUid}/${result.result}`;
      const before = first.get(key);
      if (before !== undefined && before.sha256 !== result.sha256) {
        throw new StepsealError('RESULT_NOT_SIGNED_BY_PRODUCER', `step ${claim.step} wrote over result ${result.result} of step ${before.step}`, { expected: before.sha256, found: result.sha256 });
      }
      first.set(key, before ?? { sha256: result.sha256, step: claim.step });
    }
    const unlisted = claim.results.find(({ name, scope }) => !own.some((result) => result.result === name && result.scope === scope));
    if (unlisted !== undefined) throw new StepsealError('CHAIN_INCONSISTENT', `the provenance does not list a result of step ${claim.step}`, { expected: unlisted.name });
  }
  return `${counted(listed.length, 'result')}, each as its producer left it`;
}

/** Every input that a step names was made by an earlier step or is listed as a dependency. All of them, not some. */
function checkLinkage({ dependencies }: Provenance, steps: readonly LinkedStep[]): string {
  const outside = outsideInputs(steps.map(({ claim }) => claim));
  const unlisted = outside.find(({ digest }) => !dependencies.some((dependency) => dependency.digest['sha256'] === digest['sha256']));
  if (unlisted !== undefined) {
    throw new StepsealError('LINKAGE_INCOMPLETE', 'an input comes from nowhere', { expected: 'made by an earlier step, or a resolved dependency', found: `${unlisted.name} sha256:${unlisted.digest['sha256']}` });
  }
  return `${counted(steps.flatMap(({ claim }) => claim.inputs).length, 'input')} of steps, each accounted for`;
}

/** A key belongs to one identity and attempt (DESIGN section 4). */
function checkKeys(bundles: readonly OpenedBundle[]): string {
  const owners = new Map<string, string>();
  for (const { certificate, uri, name } of bundles) {
    const key = toHex(certificate.spki);
    const owner = `${uri} attempt ${certificateEvidence(certificate)?.attempt ?? 'none'}`;
    const before = owners.get(key);
    if (before !== undefined && before !== owner) throw new StepsealError('KEY_REUSE', `the key of ${name} was certified for somebody else too`, { expected: before, found: owner });
    owners.set(key, owner);
  }
  return `${counted(owners.size, 'key')}, each of one attempt`;
}
