import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { matchSubjects } from '../envelope/subject.ts';
import { parseProvenance, type Provenance } from '../provenance/slsaRead.ts';
import { builderId, invocationId, provenanceIdentity, SLSA_PROVENANCE } from '../provenance/uris.ts';
import { parseSpiffeId } from '../spiffe/id.ts';
import { checkBundle, type Context, type Expectation } from './bundle.ts';
import type { ArtifactDigests } from './content.ts';
import { counted } from './counted.ts';
import { type EvidenceSet, missing, type NamedBytes, openAll } from './evidenceSet.ts';
import { checkGraph } from './graph.ts';
import type { OpenedBundle } from './opened.ts';
import { checkRole } from './role.ts';
import { checkStep, checkStepSet } from './steps.ts';
import { check, combine, failed, notChecked, type Verdict } from './verdict.ts';

export interface ArtifactExpectation extends Expectation {
  readonly artifact: ArtifactDigests;
}

export interface ChainExpectation extends ArtifactExpectation {
  /** builder.id, exactly; without it, the builder of the signer's own trust domain */
  readonly builder?: string;
}

/**
 * The whole chain: artifact, its signature, the provenance signed by exactly the provenance identity, every step claim
 * and node evidence that it lists, and how they hang together. Fails when any part is missing; more evidence than needed
 * changes nothing. `predicateType` takes an attestation of that type in place of the artifact's own signature.
 * Never throws for hostile bytes.
 */
export function verifyChain(files: readonly NamedBytes[], expectation: ChainExpectation, context: Context): Verdict {
  const set = openAll(files);
  const of = `sha256:${toHex(expectation.artifact.sha256)}`;
  const signatures = signaturesIn(set, expectation, context);
  const good = signatures.filter(({ verdict }) => verdict.status === 'ok');
  // equal artifacts of two runs have two good signatures: the chain needs the one that goes with the provenance at hand
  const chains = (good.length > 0 ? good : signatures.slice(0, 1)).map((signed) => ({ verdict: chainFrom(signed, of, set, expectation, context) }));
  const chain = first(chains)?.verdict;
  return chain ?? combine('chain', '', [noSignature(set, expectation), notChecked('provenance', 'artifact')], { of });
}

function chainFrom({ bundle: signed, verdict }: Signed, of: string, set: EvidenceSet, expectation: ChainExpectation, context: Context): Verdict {
  const artifact: Verdict = { ...verdict, link: 'artifact' };
  const trustDomain = trustDomainOf(expectation, signed);
  if (trustDomain === undefined) return combine('chain', '', [artifact, notChecked('provenance', 'artifact')], { of });
  const candidates = set.bundles.filter((bundle) => bundle.statement?.predicateType === SLSA_PROVENANCE);
  const about = candidates.filter(({ statement }) => isAbout(statement!, expectation.artifact));
  const rest = first(
    about.map((bundle) => {
      const parts = checkProvenance(bundle, signed, trustDomain, set, expectation, context);
      return { parts, verdict: combine('chain', '', parts) };
    }),
  );
  const parts = rest?.parts ?? [noProvenance(set, candidates, expectation)];
  return combine('chain', `signed by ${signed.uri}, built as the provenance says`, [artifact, ...parts], { of });
}

/** Who signed the artifact, or, with `predicateType`, an attestation of that type about it; nothing about how it came to be. */
export function verifyArtifactSignature(files: readonly NamedBytes[], expectation: ArtifactExpectation, context: Context): Verdict {
  const set = openAll(files);
  return first(signaturesIn(set, expectation, context))?.verdict ?? noSignature(set, expectation);
}

interface Signed {
  readonly bundle: OpenedBundle;
  readonly verdict: Verdict;
}

function signaturesIn(set: EvidenceSet, expectation: ArtifactExpectation, context: Context): Signed[] {
  return signaturesOf(set, expectation).map((bundle) => ({ bundle, verdict: checkBundle(bundle, expectation, context) }));
}

/** The first that holds, otherwise the first. */
function first<T extends { readonly verdict: Verdict }>(candidates: readonly T[]): T | undefined {
  return candidates.find(({ verdict }) => verdict.status === 'ok') ?? candidates[0];
}

function signaturesOf(set: EvidenceSet, { artifact, predicateType }: ArtifactExpectation): OpenedBundle[] {
  return set.bundles.filter(({ statement, contentSha256 }) =>
    predicateType === undefined
      ? statement === undefined && contentSha256 === toHex(artifact.sha256)
      : statement?.predicateType === predicateType && isAbout(statement, artifact),
  );
}

function isAbout(statement: NonNullable<OpenedBundle['statement']>, { sha256 }: ArtifactDigests): boolean {
  try {
    return matchSubjects(statement, { sha256: toHex(sha256) }).length > 0;
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return false;
  }
}

function noSignature(set: EvidenceSet, { artifact, predicateType }: ArtifactExpectation): Verdict {
  const others = set.bundles.filter(({ statement }) => (predicateType === undefined ? statement === undefined : statement?.predicateType === predicateType));
  const what = predicateType === undefined ? 'no signature over this artifact' : `no attestation of ${predicateType} about this artifact`;
  const error =
    others.length === 0
      ? new StepsealError('EVIDENCE_INCOMPLETE', `${what} was provided`)
      : new StepsealError('SUBJECT_MISMATCH', `${what} was provided`, { expected: toHex(artifact.sha256), found: others.map(({ name, contentSha256 }) => `${contentSha256} (${name})`).join(', ') });
  return failed('artifact', missing(set, error));
}

function noProvenance(set: EvidenceSet, others: readonly OpenedBundle[], { artifact }: ChainExpectation): Verdict {
  const error =
    others.length === 0
      ? new StepsealError('EVIDENCE_INCOMPLETE', 'no provenance was provided; --signature-only asks for less')
      : new StepsealError('SUBJECT_MISMATCH', 'the provenance is about something else', { expected: toHex(artifact.sha256), found: others.map(({ name }) => name).join(', ') });
  return failed('provenance', missing(set, error));
}

/** The trust domain that the demanded identity is of; all roles of the chain are of the same. */
function trustDomainOf({ identity }: ChainExpectation, signed: OpenedBundle): string | undefined {
  if (identity !== 'any') return identity.trustDomain;
  try {
    return parseSpiffeId(signed.uri).trustDomain;
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return undefined;
  }
}

function checkProvenance(bundle: OpenedBundle, signed: OpenedBundle, trustDomain: string, set: EvidenceSet, expectation: ChainExpectation, context: Context): Verdict[] {
  const { issuer, artifact, builder } = expectation;
  const { content } = bundle.bundle;
  let provenance: Provenance | undefined;
  const format = check('format', () => {
    provenance = parseProvenance(content.kind === 'dsse' ? content.payload : content.digest);
    return 'SLSA provenance v1 of our build type';
  });
  const own = [
    checkBundle(bundle, { identity: 'any', artifact, predicateType: SLSA_PROVENANCE, ...(issuer !== undefined && { issuer }) }, context),
    checkRole(bundle, provenanceIdentity(trustDomain), 'the provenance'),
    format,
    provenance === undefined ? notChecked('builder', 'format') : checkBuilder(provenance, trustDomain, builder),
    provenance === undefined ? notChecked('run', 'format') : checkInvocation(provenance, trustDomain),
  ];
  const verdict = combine('provenance', `by ${provenance?.builderId}`, own, { of: bundle.name, evidence: { payload: bundle.contentSha256 } });
  if (provenance === undefined) return [verdict, notChecked('steps', 'provenance')];
  return [verdict, ...checkSteps(provenance, bundle, signed, set, expectation, context)];
}

function checkSteps(provenance: Provenance, bundle: OpenedBundle, signed: OpenedBundle, set: EvidenceSet, { artifact, issuer }: ChainExpectation, context: Context): Verdict[] {
  const listed = provenance.byproducts.filter(({ kind }) => kind === 'step-claim');
  const results = listed.map((byproduct) => checkStep(byproduct, provenance, set, issuer, context));
  const steps = combine('steps', counted(listed.length, 'step'), [checkStepSet(provenance), ...results.map(({ verdict }) => verdict)]);
  const linked = results.flatMap(({ linked: found }) => found ?? []);
  const graph = linked.length === 0 || linked.length < listed.length ? notChecked('graph', 'steps') : checkGraph(provenance, linked, artifact, signed, bundle);
  return [steps, graph];
}

/** builder.id is this installation's, in the mode that the run was in, and the one asked for. BUILDER_NOT_TRUSTED_FOR_SIGNER. */
function checkBuilder(provenance: Provenance, trustDomain: string, expected: string | undefined): Verdict {
  return check('builder', () => {
    const own = builderId(trustDomain, provenance.isolation === 'isolated' ? 'local' : 'local-unisolated');
    const found = provenance.builderId;
    if (found !== own) throw new StepsealError('BUILDER_NOT_TRUSTED_FOR_SIGNER', 'the signer may not speak for this builder', { expected: own, found });
    if (expected !== undefined && found !== expected) throw new StepsealError('BUILDER_NOT_TRUSTED_FOR_SIGNER', 'built by another builder', { expected, found });
    return found;
  });
}

function checkInvocation(provenance: Provenance, trustDomain: string): Verdict {
  return check('run', () => {
    const expected = invocationId(trustDomain, provenance.runUid);
    if (provenance.invocationId !== expected) throw new StepsealError('RUN_UID_MISMATCH', 'the provenance names two runs', { expected, found: provenance.invocationId });
    return provenance.invocationId;
  });
}
