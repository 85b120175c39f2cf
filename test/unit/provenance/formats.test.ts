import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { canonicalJson, type JsonObject, parseJson } from '../../../src/base/json.ts';
import { encodeClaim, parseClaim } from '../../../src/provenance/claim.ts';
import { encodeEvidence, encodeObserved, evidenceSha256, parseEvidence, parseObserved } from '../../../src/provenance/evidence.ts';
import { encodeNodeEvidence, parseNodeEvidence } from '../../../src/provenance/nodeEvidence.ts';
import { claimResult, resultValue } from '../../../src/provenance/result.ts';
import { encodeRunnerView, parseRunnerView } from '../../../src/provenance/run.ts';
import { encodeProvenance } from '../../../src/provenance/slsa.ts';
import { parseProvenance } from '../../../src/provenance/slsaRead.ts';
import { createUniverse } from '../../fakes/universe.ts';
import { hex, makeRun } from '../../fakes/universeRun.ts';
import { codeOf } from './codeOf.ts';

const run = await makeRun(await createUniverse());
const [record] = run.records;
const { claim, node } = record!;
const checked = { facts: run.facts, view: run.view, attempts: run.records };

/** The same bytes with one member changed, canonical again. */
function edited(bytes: Uint8Array, path: readonly (string | number)[], value: unknown): Uint8Array {
  const whole = parseJson(bytes);
  const inner = path.slice(0, -1).reduce<any>((object, name) => object[name], whole);
  if (value === undefined) delete inner[path.at(-1)!];
  else inner[path.at(-1)!] = value;
  return utf8(canonicalJson(whole));
}

describe('what one part writes, another reads back exactly', () => {
  test.each([
    ['observed', encodeObserved(node.evidence.observed), (bytes: Uint8Array) => encodeObserved(parseObserved(bytes))],
    ['evidence', encodeEvidence(node.evidence), (bytes: Uint8Array) => encodeEvidence(parseEvidence(bytes))],
    ['a claim', encodeClaim(claim), (bytes: Uint8Array) => encodeClaim(parseClaim(bytes))],
    ['node evidence', encodeNodeEvidence(node), (bytes: Uint8Array) => encodeNodeEvidence(parseNodeEvidence(bytes))],
    ["the runner's view", encodeRunnerView(run.view), (bytes: Uint8Array) => encodeRunnerView(parseRunnerView(bytes))],
  ] as const)('%s', (_, bytes, again) => {
    expect(Buffer.from(again(bytes)).toString()).toBe(Buffer.from(bytes).toString());
  });

  test('a skipped step has a name and nothing else', () => {
    const view = { ...run.view, taskRuns: [{ ...run.view.taskRuns[0]!, steps: [{ name: 'late', outcome: 'skipped' as const }] }] };
    expect(parseRunnerView(encodeRunnerView(view))).toEqual(view);
  });
});

describe('a claim', () => {
  const bytes = encodeClaim(claim);

  test('is the same bytes whatever order its lists came in', async () => {
    const { stepClaim } = await import('../../../src/provenance/claim.ts');
    const two = [...claim.results, claimResult('b', 'step', 'string', utf8('x'), false)];
    expect(encodeClaim(stepClaim(claim.evidence, { ...claim, results: two.toReversed() }))).toEqual(encodeClaim(stepClaim(claim.evidence, { ...claim, results: two })));
  });

  test('without artifacts is about the attempt', () => {
    const none = encodeClaim({ ...claim, artifacts: [] });
    expect((parseJson(none) as JsonObject)['subject']).toEqual([{ name: 'attempt/run-1-source', digest: { sha256: evidenceSha256(claim.evidence) } }]);
    expect(parseClaim(none).artifacts).toEqual([]);
  });

  test.each([
    ['another run UID than its evidence', ['predicate', 'runUid'], 'run-2', 'RUN_UID_MISMATCH'],
    ['another TaskRun UID than its evidence', ['predicate', 'taskRunUid'], 'run-2-task', 'RUN_UID_MISMATCH'],
    ['another attempt than its evidence', ['predicate', 'attempt'], 'other', 'ATTEMPT_MISMATCH'],
    ['another attempt number than its evidence', ['predicate', 'attemptNumber'], 1, 'ATTEMPT_MISMATCH'],
    ['another step than its evidence', ['predicate', 'step'], 'build', 'ATTEMPT_MISMATCH'],
    ['another identity than its evidence', ['predicate', 'identity'], 'spiffe://example.org/other', 'IDENTITY_MISMATCH'],
    ['another subject than its artifacts', ['subject', 0, 'digest', 'sha256'], hex('other'), 'SUBJECT_MISMATCH'],
    ['a value that its digest is not over', ['predicate', 'results', 0, 'value'], 'other', 'CLAIM_ENCODING'],
    ['an origin that nobody observed', ['predicate', 'origin'], 'claimed', 'CLAIM_INVALID'],
    ['a member that the format does not have', ['predicate', 'builder'], 'me', 'CLAIM_INVALID'],
    ['no evidence', ['predicate', 'evidence'], undefined, 'CLAIM_INVALID'],
    ['a time in another spelling', ['predicate', 'evidence', 'observed', 'attested'], '2026-01-02T03:04:05Z', 'CLAIM_INVALID'],
    ['another predicate type', ['predicateType'], 'https://stepseal.dev/step/v2', 'TYPE_MISMATCH'],
  ] as const)('with %s is refused', (_, path, value, code) => {
    expect(codeOf(() => parseClaim(edited(bytes, path, value)))).toBe(code);
  });

  test('that lists a result twice is refused', () => {
    expect(codeOf(() => parseClaim(encodeClaim({ ...claim, results: [...claim.results, claim.results[0]!] })))).toBe('CLAIM_INVALID');
  });
});

describe('node evidence', () => {
  test('of another attempt than its subject says is refused', () => {
    expect(codeOf(() => parseNodeEvidence(edited(encodeNodeEvidence(node), ['predicate', 'evidence', 'attempt'], 'other')))).toBe('EVIDENCE_INVALID');
  });

  test('with an exit code that no process has is refused', () => {
    expect(codeOf(() => parseNodeEvidence(edited(encodeNodeEvidence(node), ['predicate', 'exitCode'], 256)))).toBe('EVIDENCE_INVALID');
  });
});

describe('a result', () => {
  test.each([
    ['string', '["a","b"]', '["a","b"]'],
    ['array', '["a","b"]', ['a', 'b']],
    ['array', ' [ "a,b" ]\n', ['a,b']],
    ['object', '{"uri":"x","digest":"sha256:0"}', { uri: 'x', digest: 'sha256:0' }],
  ] as const)('of type %s with the text %s', (type, raw, value) => {
    expect(resultValue(type, raw)).toEqual(value);
  });

  test.each([['array', 'a,b'], ['array', '{}'], ['array', '[1]'], ['array', '["a"] x'], ['object', '["a"]'], ['object', '{"a":1}'], ['object', '{"a":"1","a":"2"}']] as const)(
    'of type %s may not be the text %s',
    (type, raw) => {
      expect(codeOf(() => resultValue(type, raw))).toBe('CLAIM_ENCODING');
    },
  );

  test('carries its value up to 4 KiB of UTF-8, and not when it is secret', () => {
    const make = (raw: Uint8Array, secret = false) => claimResult('r', 'task', 'string', raw, secret).value;
    expect(make(Buffer.alloc(4096, 0x61))).toHaveLength(4096);
    expect(make(Buffer.alloc(4097, 0x61))).toBeUndefined();
    expect(make(utf8('password'), true)).toBeUndefined();
    expect(make(Uint8Array.of(0xff))).toBeUndefined();
    expect(make(utf8('\ufeffx'))).toBe('\ufeffx');
  });
});

describe('provenance', () => {
  const payload = encodeProvenance(checked, '0.1.0');

  test('is equal bytes for an equal run', () => {
    expect(encodeProvenance(checked, '0.1.0')).toEqual(payload);
  });

  test('says what the run was, and what nobody but the tenant says', () => {
    const { predicate, subject } = parseProvenance(payload).statement as unknown as { predicate: any; subject: unknown };
    expect(subject).toEqual([
      { name: 'source', digest: { sha256: hex('source tree') } },
      { name: 'release.tgz', digest: { sha256: hex('release of run-1') } },
      { name: 'sbom.json', digest: { sha256: hex('sbom') } },
    ]);
    expect(predicate.buildDefinition.resolvedDependencies).toEqual([
      { name: 'task/release', digest: { sha256: hex('task') }, annotations: { source: 'control-plane' } },
      { name: 'origin', uri: 'git+https://example.com/repo', digest: { sha256: hex('origin') }, annotations: { source: 'tenant' } },
    ]);
    expect(predicate.runDetails.builder.id).toBe('https://example.org/stepseal/local');
    expect(predicate.runDetails.metadata).toEqual({
      invocationId: 'https://example.org/stepseal/runs/run-1', startedOn: '2026-01-02T03:04:05.000Z', finishedOn: '2026-01-02T03:04:05.400Z',
    });
  });

  test('of an unisolated run names another builder', () => {
    const facts = { ...run.facts, isolation: 'unisolated' as const };
    expect(parseProvenance(encodeProvenance({ ...checked, facts }, '0.1.0')).builderId).toBe('https://example.org/stepseal/local-unisolated');
  });

  test('of a run that made nothing is about the run', () => {
    const attempts = run.records.map((each) => ({ ...each, claim: { ...each.claim, artifacts: [] } }));
    expect(parseProvenance(encodeProvenance({ ...checked, attempts }, '0.1.0')).statement.subject).toEqual([{ name: 'run/run-1', digest: { sha256: claim.evidence.parametersDigest } }]);
  });

  test('marks an artifact that no file stood behind', () => {
    const attempts = run.records.map((each) => ({ ...each, claim: { ...each.claim, artifacts: each.claim.artifacts.map((made) => ({ ...made, observed: false })) } }));
    expect(parseProvenance(encodeProvenance({ ...checked, attempts }, '0.1.0')).statement.subject[0]!.annotations).toEqual({ observed: false });
  });

  const definition = ['predicate', 'buildDefinition'] as const;
  test.each([
    ['another build type', [...definition, 'buildType'], 'https://tekton.dev/chains/v2/slsa', 'PROVENANCE_INVALID'],
    ['an unknown external parameter', [...definition, 'externalParameters', 'cache'], 'x', 'PARAM_UNEXPECTED'],
    ['an unknown member of the definition', [...definition, 'externalParameters', 'definition', 'uri'], 'x', 'PARAM_UNEXPECTED'],
    ['a param that is no string', [...definition, 'externalParameters', 'params', 'version'], 1, 'PROVENANCE_INVALID'],
    ['no builder', ['predicate', 'runDetails', 'builder'], undefined, 'PROVENANCE_INVALID'],
    ['no byproducts', ['predicate', 'runDetails', 'byproducts'], undefined, 'PROVENANCE_INVALID'],
    ['the predicate type of a draft', ['predicateType'], 'https://slsa.dev/provenance/v1.0', 'TYPE_MISMATCH'],
  ] as const)('with %s is refused', (_, path, value, code) => {
    expect(codeOf(() => parseProvenance(edited(payload, path, value)))).toBe(code);
  });

  test('with an unknown member elsewhere is read, as SLSA asks', () => {
    expect(() => parseProvenance(edited(payload, ['predicate', 'runDetails', 'vendor_more'], 1))).not.toThrow();
  });
});
