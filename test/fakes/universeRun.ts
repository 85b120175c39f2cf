import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import type { JsonObject } from '../../src/base/json.ts';
import { encodeStatement, type Statement } from '../../src/envelope/statement.ts';
import { type AttemptPayloads, type AttemptRecord, readAttempt } from '../../src/provenance/attempt.ts';
import { type ClaimContent, claimStatement, type StepClaim, stepClaim } from '../../src/provenance/claim.ts';
import { type AttemptEvidence, evidenceDigest } from '../../src/provenance/evidence.ts';
import { type ExpectedStep, type ExternalParameters, externalParametersDigest, type RunFacts } from '../../src/provenance/facts.ts';
import { type NodeEvidence, nodeEvidenceStatement } from '../../src/provenance/nodeEvidence.ts';
import { claimResult } from '../../src/provenance/result.ts';
import type { RunnerView, ViewedStep } from '../../src/provenance/run.ts';
import { provenanceStatement } from '../../src/provenance/slsa.ts';
import { provenanceIdentity } from '../../src/provenance/uris.ts';
import type { NamedBytes } from '../../src/verifier/evidenceSet.ts';
import { seal, type SealKnobs, START, type Universe } from './universe.ts';

export const hex = (text: string): string => toHex(sha256(utf8(text)));

export interface RunKnobs {
  readonly runUid?: string;
  readonly artifact?: Uint8Array;
  /** per step: what its claim lists, before it is made */
  readonly claimed?: (step: string, content: ClaimContent) => ClaimContent;
  readonly evidence?: (step: string, evidence: AttemptEvidence) => AttemptEvidence;
  readonly claim?: (step: string, claim: StepClaim) => StepClaim;
  readonly claimStatement?: (step: string, statement: Statement) => Statement;
  readonly node?: (step: string, node: NodeEvidence) => NodeEvidence;
  /** what the server signs, in place of what it would */
  readonly provenance?: (predicate: JsonObject, statement: Statement) => Statement;
  /** attempts that the provenance is made from, in place of the run's own */
  readonly records?: (records: AttemptRecord[]) => AttemptRecord[];
  readonly sealClaim?: (step: string) => Partial<SealKnobs>;
  readonly sealNode?: (step: string) => Partial<SealKnobs>;
  readonly sealProvenance?: Partial<SealKnobs>;
  readonly sealArtifact?: Partial<SealKnobs>;
  readonly parameters?: ExternalParameters;
}

export interface MadeRun {
  readonly facts: RunFacts;
  readonly view: RunnerView;
  readonly attempts: readonly AttemptPayloads[];
  readonly records: readonly AttemptRecord[];
  readonly artifact: Uint8Array;
  readonly identity: string;
  /** every bundle of the run, by file name */
  readonly files: readonly NamedBytes[];
  readonly rendered: (step: string) => string;
}

const STEPS = ['source', 'build', 'sbom'] as const;

/** A run of a Task of three steps: source (result commit), build (artifact release.tgz from the source), sbom (sbom.json). */
export async function makeRun(universe: Universe, knobs: RunKnobs = {}): Promise<MadeRun> {
  const { trustDomain } = universe;
  const runUid = knobs.runUid ?? 'run-1';
  const taskRunUid = `${runUid}-task`;
  const artifact = knobs.artifact ?? utf8(`release of ${runUid}`);
  const agent = `spiffe://${trustDomain}/spire/agent/join_token/0badcafe`;
  const parameters = knobs.parameters ?? { definition: { kind: 'Task', name: 'release', sha256: hex('task') }, params: { version: '1.2.3' }, workspaces: ['source'] };
  const identityOf = (step: string): string => `spiffe://${trustDomain}/ns/local/task/release/step/${step}`;
  const rendered = (step: string): string => hex(`rendered ${step}`);
  const commit = claimResult('commit', 'task', 'string', utf8('4b825dc642cb6eb9a060e54bf8d69288fbee4904'), false);
  const files = claimResult('files', 'task', 'array', utf8('["a,b"]'), false);
  const source = { name: 'source', uri: 'git+https://example.com/repo', sha256: hex('source tree') };
  const contents: Record<string, ClaimContent> = {
    source: { results: [commit, files], artifacts: [{ ...source, observed: true }], inputs: [{ name: 'origin', uri: 'git+https://example.com/repo', sha256: hex('origin') }], seals: [] },
    build: { results: [], artifacts: [{ name: 'release.tgz', uri: '', sha256: toHex(sha256(artifact)), observed: true }], inputs: [source], seals: [] },
    sbom: { results: [], artifacts: [{ name: 'sbom.json', uri: '', sha256: hex('sbom'), observed: true }], inputs: [source], seals: [] },
  };
  const steps: ExpectedStep[] = STEPS.map((name) => ({ name, identity: identityOf(name), image: '', results: [] }));
  const facts: RunFacts = {
    trustDomain,
    runUid,
    isolation: 'isolated',
    externalParameters: parameters,
    dependencies: [{ name: 'task/release', uri: '', digest: { sha256: hex('task') }, source: 'control-plane' }],
    taskRuns: [{ uid: taskRunUid, pipelineTask: '', task: 'release', taskDigest: hex('task'), steps, results: [{ name: 'commit', type: 'string' }, { name: 'files', type: 'array' }] }],
  };

  const attempts: AttemptPayloads[] = [];
  const evidences: Record<string, AttemptEvidence> = {};
  const viewed: ViewedStep[] = [];
  for (const [index, step] of STEPS.entries()) {
    const started = START + index * 100;
    const plain: AttemptEvidence = {
      attempt: `${runUid}-${step}`,
      identity: identityOf(step),
      runUid,
      taskRunUid,
      pipelineTask: '',
      task: 'release',
      taskDigest: hex('task'),
      parametersDigest: externalParametersDigest(parameters),
      step,
      attemptNumber: 0,
      agent,
      observed: {
        peer: 'pidfd',
        isolation: 'isolated',
        pidNamespace: '4026531836',
        uid: 1000,
        gid: 1000,
        rendered: rendered(step),
        paths: { results: '/r', stepResults: '/s', stepArtifacts: '/sa', taskArtifacts: '/ta', workingDir: '/w', workspaces: { source: '/w/source' } },
        image: '',
        attested: started,
      },
    };
    const evidence = knobs.evidence?.(step, plain) ?? plain;
    evidences[step] = evidence;
    const content = knobs.claimed?.(step, contents[step]!) ?? contents[step]!;
    const made = stepClaim(evidence, content);
    const claim = knobs.claim?.(step, made) ?? made;
    const statement = claimStatement(claim);
    const whole: NodeEvidence = { evidence, started, finished: started + 90, exitCode: 0, reason: '', observed: started + 95, results: claim.results, artifacts: claim.artifacts };
    attempts.push({
      claim: encodeStatement(knobs.claimStatement?.(step, statement) ?? statement),
      evidence: encodeStatement(nodeEvidenceStatement(knobs.node?.(step, whole) ?? whole)),
    });
    viewed.push({ name: step, outcome: 'succeeded', attempt: evidence.attempt, attemptNumber: 0, rendered: rendered(step), exitCode: 0, started, finished: started + 90 });
  }
  const view: RunnerView = {
    runUid,
    isolation: 'isolated',
    started: START,
    finished: START + 400,
    outcome: 'succeeded',
    taskRuns: [{ uid: taskRunUid, pipelineTask: '', outcome: 'succeeded', reason: '', steps: viewed, results: [commit, files].map(({ name, type, sha256: digest }) => ({ name, type, sha256: digest })) }],
  };

  const records = attempts.map(({ claim, evidence }, index) => recordOf(claim, evidence, stepClaim(evidences[STEPS[index]!]!, contents[STEPS[index]!]!)));
  const statement = provenanceStatement({ facts, view, attempts: knobs.records?.(records) ?? records }, '0.1.0');
  const signedStatement = knobs.provenance?.(statement.predicate, statement) ?? statement;
  const sealed: NamedBytes[] = [];
  for (const [index, step] of STEPS.entries()) {
    const certified = { custody: 'seal', attempt: evidences[step]!.attempt, digest: evidenceDigest(evidences[step]!) } as const;
    const own = { identity: identityOf(step), evidence: certified, key: universe.newKey() };
    const { claim, evidence } = attempts[index]!;
    sealed.push({ name: `claim-${step}.sigstore.json`, bytes: await seal(universe, { statement: claim }, { ...own, ...knobs.sealClaim?.(step) }) });
    sealed.push({ name: `evidence-${step}.sigstore.json`, bytes: await seal(universe, { statement: evidence }, { identity: agent, ...knobs.sealNode?.(step) }) });
    if (step === 'build') sealed.push({ name: 'release.tgz.sigstore.json', bytes: await seal(universe, { artifact }, { ...own, ...knobs.sealArtifact }) });
  }
  const payload = encodeStatement(signedStatement);
  sealed.push({ name: 'provenance.sigstore.json', bytes: await seal(universe, { statement: payload }, { identity: provenanceIdentity(trustDomain), ...knobs.sealProvenance }) });
  return { facts, view, attempts, records, artifact, identity: identityOf('build'), files: sealed, rendered };
}

/** As readAttempt, but what a server would refuse to read is taken as it was meant, so that a bad server can be played. */
function recordOf(claim: Uint8Array, evidence: Uint8Array, meant: StepClaim): AttemptRecord {
  try {
    return readAttempt({ claim, evidence });
  } catch {
    return { claim: meant, claimSha256: toHex(sha256(claim)), nodeSha256: toHex(sha256(evidence)), node: undefined as never };
  }
}
