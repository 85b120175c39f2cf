import { utf8 } from '../../../../src/base/bytes.ts';
import type { JsonObject } from '../../../../src/base/json.ts';
import type { Statement } from '../../../../src/envelope/statement.ts';
import { fulcioExtension } from '../../../../src/x509/extensions.ts';
import { claimResult } from '../../../../src/provenance/result.ts';
import { parseIdentityPattern } from '../../../../src/spiffe/pattern.ts';
import type { NamedBytes } from '../../../../src/verifier/evidenceSet.ts';
import { seal } from '../../../fakes/universe.ts';
import { hex, makeRun, type MadeRun } from '../../../fakes/universeRun.ts';
import { BUILD, runVerdict, SBOM, type TamperRow } from './row.ts';

type Byproduct = JsonObject & { name: string; digest: { sha256: string }; annotations: JsonObject };

/** What a server that lies would sign: its provenance with other byproducts. */
function byproducts(change: (list: Byproduct[]) => Byproduct[]): (predicate: JsonObject, statement: Statement) => Statement {
  return (predicate, statement) => {
    const details = predicate['runDetails'] as JsonObject;
    return { ...statement, predicate: { ...predicate, runDetails: { ...details, byproducts: change(details['byproducts'] as Byproduct[]) } } };
  };
}

function definition(change: (definition: JsonObject) => JsonObject): (predicate: JsonObject, statement: Statement) => Statement {
  return (predicate, statement) => ({ ...statement, predicate: { ...predicate, buildDefinition: change(predicate['buildDefinition'] as JsonObject) } });
}

const without = (name: string) => (files: readonly NamedBytes[]) => files.filter((file) => file.name !== name);
const resultIs = (name: string) => (item: Byproduct) => item.annotations['result'] === name;

/** The provenance lists, in the places of its own, what the attempts of another run left. */
function foreign(other: MadeRun, steps: readonly string[]) {
  return byproducts((list) =>
    list
      .filter(({ annotations }) => !(annotations['kind'] === 'result' && steps.includes(annotations['step'] as string)))
      .map((item) => {
        const record = other.records.find(({ claim }) => claim.step === item.annotations['step']);
        if (record === undefined || !steps.includes(record.claim.step)) return item;
        return { ...item, digest: { sha256: item.annotations['kind'] === 'step-claim' ? record.claimSha256 : record.nodeSha256 } };
      }),
  );
}

const evidenceOf = (run: MadeRun): readonly NamedBytes[] => run.files.filter(({ name }) => /^(?:claim|evidence)-/.test(name));

const ALL = ['source', 'build', 'sbom'];

export const RUN_ROWS: readonly TamperRow[] = [
  {
    id: 'T02', name: 'a later step writes over a result', code: 'RESULT_NOT_SIGNED_BY_PRODUCER', link: 'results',
    attack: (universe) =>
      runVerdict(universe, { claimed: (step, content) => (step === 'sbom' ? { ...content, results: [claimResult('commit', 'task', 'string', utf8('another commit'), false)] } : content) }),
  },
  {
    id: 'T02', name: 'the provenance lists another value than the producer left', code: 'RESULT_NOT_SIGNED_BY_PRODUCER', link: 'results',
    attack: (universe) => runVerdict(universe, { provenance: byproducts((list) => list.map((item) => (resultIs('commit')(item) ? { ...item, digest: { sha256: hex('other') } } : item))) }),
  },
  {
    id: 'T04', name: 'the digest of one result is used for another', code: 'CLAIM_NAME_MISMATCH', link: 'results',
    attack: (universe) =>
      runVerdict(universe, {
        provenance: byproducts((list) => list.map((item) => (resultIs('files')(item) ? { ...item, digest: list.find(resultIs('commit'))!.digest } : item))),
      }),
  },
  {
    id: 'T05', name: 'an array result is listed as a string', code: 'CLAIM_ENCODING', link: 'results',
    attack: (universe) =>
      runVerdict(universe, { provenance: byproducts((list) => list.map((item) => (resultIs('files')(item) ? { ...item, annotations: { ...item.annotations, type: 'string' } } : item))) }),
  },
  ...['["a","b"]', 'a,b'].map((value): TamperRow => ({
    id: 'T05', name: `the digest of ["a,b"] with the value ${value}`, code: 'CLAIM_ENCODING', link: 'claim',
    attack: (universe) =>
      runVerdict(universe, {
        claim: (step, claim) => (step === 'source' ? { ...claim, results: claim.results.map((result) => (result.name === 'files' ? { ...result, value } : result)) } : claim),
      }),
  })),
  {
    id: 'T08', name: 'a step signs what another step made', code: 'OUTPUT_NOT_OBSERVED', link: 'outputs',
    attack: (universe) => runVerdict(universe, { sealArtifact: { identity: SBOM } }, undefined, { identity: parseIdentityPattern(SBOM) }),
  },
  {
    id: 'T08', name: 'a claim lists an artifact that the node did not see', code: 'OUTPUT_NOT_OBSERVED', link: 'node',
    attack: (universe) => runVerdict(universe, { node: (step, node) => (step === 'build' ? { ...node, artifacts: [] } : node) }),
  },
  {
    id: 'T14', name: 'node evidence is signed by a step', code: 'SIGNER_ROLE_MISMATCH', link: 'identity',
    attack: (universe) => runVerdict(universe, { sealNode: () => ({ identity: BUILD }) }),
  },
  {
    id: 'T14', name: 'node evidence is signed by another agent', code: 'SIGNER_ROLE_MISMATCH', link: 'identity',
    attack: (universe) => runVerdict(universe, { sealNode: () => ({ identity: 'spiffe://example.org/spire/agent/join_token/other' }) }),
  },
  {
    id: 'T14', name: 'evidence names as its agent what is none', code: 'SIGNER_ROLE_MISMATCH', link: 'identity',
    attack: (universe) => runVerdict(universe, { evidence: (_, evidence) => ({ ...evidence, agent: BUILD }), sealNode: () => ({ identity: BUILD }) }),
  },
  {
    id: 'T14', name: 'a claim is signed by another step', code: 'SIGNER_ROLE_MISMATCH', link: 'identity',
    attack: (universe) => runVerdict(universe, { sealClaim: () => ({ identity: SBOM }) }),
  },
  {
    id: 'T16', name: 'claims and evidence of another run', code: 'RUN_UID_MISMATCH', link: 'run',
    attack: async (universe) => {
      const other = await makeRun(universe, { runUid: 'run-2', artifact: utf8('release of run-1') });
      return runVerdict(universe, { provenance: foreign(other, ALL) }, (files) => [...files, ...evidenceOf(other)]);
    },
  },
  {
    id: 'T16', name: 'the provenance names another run in its invocation', code: 'RUN_UID_MISMATCH', link: 'run',
    attack: (universe) =>
      runVerdict(universe, {
        provenance: (predicate, statement) => {
          const details = predicate['runDetails'] as JsonObject;
          const metadata = { ...(details['metadata'] as JsonObject), invocationId: 'https://example.org/stepseal/runs/run-2' };
          return { ...statement, predicate: { ...predicate, runDetails: { ...details, metadata } } };
        },
      }),
  },
  {
    id: 'T17', name: 'the provenance is signed by a step', code: 'SIGNER_ROLE_MISMATCH', link: 'identity',
    attack: (universe) => runVerdict(universe, { sealProvenance: { identity: BUILD } }),
  },
  {
    id: 'T17', name: 'the provenance is signed by something beside the provenance identity', code: 'SIGNER_ROLE_MISMATCH', link: 'identity',
    attack: (universe) => runVerdict(universe, { sealProvenance: { identity: 'spiffe://example.org/stepseal/provenance/2' } }),
  },
  {
    id: 'T19', name: 'a claim is replaced by another of the same step', code: 'BYPRODUCT_DIGEST_MISMATCH', link: 'claim',
    attack: async (universe) => {
      const other = await makeRun(universe, { claimed: (_, content) => ({ ...content, seals: [{ kind: 'artifact', sha256: hex('more') }] }) });
      const swapped = other.files.find(({ name }) => name === 'claim-build.sigstore.json')!;
      return runVerdict(universe, {}, (files) => [...without(swapped.name)(files), swapped]);
    },
  },
  { id: 'T19', name: 'a claim is not provided', code: 'STEP_MISSING', link: 'claim', attack: (universe) => runVerdict(universe, {}, without('claim-build.sigstore.json')) },
  {
    id: 'T19', name: 'the provenance does not list the claim of a step that ran', code: 'STEP_MISSING', link: 'steps',
    attack: (universe) => runVerdict(universe, { provenance: byproducts((list) => list.filter(({ annotations }) => annotations['step'] !== 'sbom')) }),
  },
  {
    id: 'T20', name: 'the provenance lists a step that is not part of the run', code: 'STEP_UNEXPECTED', link: 'steps',
    attack: (universe) =>
      runVerdict(universe, {
        provenance: byproducts((list) => [...list, { ...list[0]!, annotations: { ...list[0]!.annotations, step: 'intruder' } }]),
      }),
  },
  {
    id: 'T20', name: 'the provenance lists two evidences of one step', code: 'STEP_UNEXPECTED', link: 'steps',
    attack: (universe) => runVerdict(universe, { provenance: byproducts((list) => [...list, list.find(({ annotations }) => annotations['kind'] === 'node-evidence')!]) }),
  },
  {
    id: 'X', name: 'the provenance lists one result twice and leaves out another', code: 'CHAIN_INCONSISTENT', link: 'results',
    attack: (universe) => runVerdict(universe, { provenance: byproducts((list) => list.map((item) => (resultIs('files')(item) ? list.find(resultIs('commit'))! : item))) }),
  },
  {
    id: 'X', name: 'a step of another trust domain', code: 'CHAIN_INCONSISTENT', link: 'run',
    attack: (universe) => {
      const foreignId = 'spiffe://other.example/ns/local/task/release/step/sbom';
      return runVerdict(universe, {
        evidence: (step, evidence) => (step === 'sbom' ? { ...evidence, identity: foreignId } : evidence),
        provenance: (predicate, statement) => ({ ...statement, predicate: JSON.parse(JSON.stringify(predicate).replaceAll(SBOM, foreignId)) as JsonObject }),
        sealClaim: (step) => (step === 'sbom' ? { identity: foreignId } : {}),
      });
    },
  },
  {
    id: 'T22', name: 'one claim of another run among those of this one', code: 'CHAIN_INCONSISTENT', link: 'run',
    attack: async (universe) => {
      const other = await makeRun(universe, { runUid: 'run-2' });
      return runVerdict(universe, { provenance: foreign(other, ['sbom']) }, (files) => [...files, ...evidenceOf(other)]);
    },
  },
  {
    id: 'T22', name: 'the provenance says another Task than the steps ran', code: 'CHAIN_INCONSISTENT', link: 'run',
    attack: (universe) => runVerdict(universe, { evidence: (_, evidence) => ({ ...evidence, taskDigest: hex('another task') }) }),
  },
  {
    id: 'T23', name: 'of two inputs only the unrelated one is accounted for', code: 'LINKAGE_INCOMPLETE', link: 'linkage',
    attack: (universe) =>
      runVerdict(universe, {
        claimed: (step, content) => (step === 'build' ? { ...content, inputs: [...content.inputs, { name: 'compiler', uri: '', sha256: hex('compiler') }] } : content),
        provenance: definition((own) => ({
          ...own,
          resolvedDependencies: (own['resolvedDependencies'] as JsonObject[]).filter(({ name }) => name !== 'compiler'),
        })),
      }),
  },
  {
    id: 'T26', name: 'an external parameter that the build type does not know', code: 'PARAM_UNEXPECTED', link: 'format',
    attack: (universe) =>
      runVerdict(universe, { provenance: definition((own) => ({ ...own, externalParameters: { ...(own['externalParameters'] as JsonObject), cache: 'https://example.com' } })) }),
  },
  {
    id: 'T26', name: 'a param that was not there when the steps ran', code: 'PARAM_UNEXPECTED', link: 'run',
    attack: (universe) =>
      runVerdict(universe, {
        provenance: definition((own) => ({ ...own, externalParameters: { ...(own['externalParameters'] as JsonObject), params: { version: '1.2.3', debug: 'true' } } })),
      }),
  },
  {
    id: 'T46', name: 'one key was certified for two roles', code: 'KEY_REUSE', link: 'keys',
    attack: (universe) => {
      const key = universe.newKey();
      return runVerdict(universe, { sealNode: () => ({ key }), sealProvenance: { key } });
    },
  },
  { id: 'T67', name: 'node evidence is withheld', code: 'EVIDENCE_INCOMPLETE', link: 'node', attack: (universe) => runVerdict(universe, {}, without('evidence-sbom.sigstore.json')) },
  { id: 'T67', name: 'the provenance is withheld', code: 'EVIDENCE_INCOMPLETE', link: 'provenance', attack: (universe) => runVerdict(universe, {}, without('provenance.sigstore.json')) },
  { id: 'T67', name: 'nothing is provided', code: 'EVIDENCE_INCOMPLETE', link: 'artifact', attack: (universe) => runVerdict(universe, {}, () => []) },
  {
    id: 'T65', name: 'the provenance is about another artifact', code: 'SUBJECT_MISMATCH', link: 'provenance',
    attack: (universe) => runVerdict(universe, { provenance: (_, statement) => ({ ...statement, subject: [{ name: 'release.tgz', digest: { sha256: hex('other') } }] }) }),
  },
  {
    id: 'X', name: 'the builder is of another installation', code: 'BUILDER_NOT_TRUSTED_FOR_SIGNER', link: 'builder',
    attack: (universe) =>
      runVerdict(universe, {
        provenance: (predicate, statement) => ({
          ...statement,
          predicate: { ...predicate, runDetails: { ...(predicate['runDetails'] as JsonObject), builder: { id: 'https://example.com/stepseal/local' } } },
        }),
      }),
  },
  { id: 'X', name: 'another builder is demanded', code: 'BUILDER_NOT_TRUSTED_FOR_SIGNER', link: 'builder', attack: (universe) => runVerdict(universe, {}, undefined, { builder: 'https://example.org/stepseal/isolated' }) },
  {
    id: 'X', name: 'the certificate of a claim was issued on other evidence', code: 'EVIDENCE_MISMATCH', link: 'evidence',
    attack: (universe) => runVerdict(universe, { sealClaim: (step) => ({ evidence: { custody: 'seal', attempt: `run-1-${step}`, digest: Buffer.from(hex('other'), 'hex') } }) }),
  },
  {
    id: 'T07', name: 'the artifact was signed in another attempt', code: 'ATTEMPT_MISMATCH', link: 'outputs',
    attack: (universe) => runVerdict(universe, { sealArtifact: { key: universe.newKey(), evidence: { custody: 'seal', attempt: 'run-0-build', digest: Buffer.from(hex('run-0'), 'hex') } } }),
  },
  {
    id: 'T07', name: 'node evidence of another attempt', code: 'ATTEMPT_MISMATCH', link: 'node',
    attack: (universe) => runVerdict(universe, { node: (step, node) => (step === 'build' ? { ...node, evidence: { ...node.evidence, attemptNumber: 1 } } : node) }),
  },
  {
    id: 'X', name: 'the key of a claim was held by the step', code: 'SIGNER_ROLE_MISMATCH', link: 'evidence',
    attack: async (universe) => {
      const run = await makeRun(universe);
      const { evidenceDigest } = await import('../../../../src/provenance/evidence.ts');
      const digestOf = (step: string): Uint8Array => evidenceDigest(run.records.find(({ claim }) => claim.step === step)!.claim.evidence);
      return runVerdict(universe, { sealClaim: (step) => ({ evidence: { custody: 'in-step', attempt: `run-1-${step}`, digest: digestOf(step) } }) });
    },
  },
  {
    id: 'X', name: 'a claim that another issuer vouched for', code: 'ISSUER_MISMATCH', link: 'issuer',
    attack: (universe) =>
      runVerdict(universe, {
        sealClaim: () => ({ change: (extensions) => void extensions.set('issuer1', fulcioExtension(1, 'https://other.example')).set('issuer8', fulcioExtension(8, 'https://other.example')) }),
      }, undefined, { issuer: 'https://example.org' }),
  },
  {
    id: 'X', name: 'a bundle of another trust domain', code: 'IDENTITY_MISMATCH', link: 'identity',
    attack: (universe) => runVerdict(universe, {}, async (files, run) => {
      const signed = files.find(({ name }) => name === 'release.tgz.sigstore.json')!;
      const other = await seal(universe, { artifact: run.artifact }, { identity: 'spiffe://other.example/ns/local/task/release/step/build' });
      return files.map((file) => (file === signed ? { ...file, bytes: other } : file));
    }),
  },
];
