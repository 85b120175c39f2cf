import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { userName } from '../../src/attestor/users.ts';
import { parseBundle } from '../../src/envelope/bundle.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { parseClaim } from '../../src/provenance/claim.ts';
import { parseNodeEvidence } from '../../src/provenance/nodeEvidence.ts';
import type { EndStepResponse } from '../../src/rpc/gen/stepseal/runner_pb.js';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { loadTrust } from '../../src/verifier/trust.ts';
import { agentBed, type AgentBed } from '../fakes/agentBed.ts';
import { namespacesWork } from '../unit/attestor/callers.ts';

const YAML = `
apiVersion: tekton.dev/v1
kind: Task
metadata: {name: release}
spec:
  results:
    - {name: version}
    - {name: big}
    - {name: list, type: array}
    - {name: tgz-ARTIFACT_OUTPUTS, type: object, properties: {uri: {}, digest: {}}}
    - {name: src-ARTIFACT_INPUTS, type: object, properties: {uri: {}, digest: {}}}
  steps:
    - {name: one, image: none, script: "true", results: [{name: own}]}
    - {name: two, image: none, script: "true"}
`;
const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');
const codes = ({ problems }: EndStepResponse): string[] => problems.map(({ code }) => code).toSorted();

let bed: AgentBed;
beforeAll(async () => {
  bed = await agentBed();
});
afterAll(() => bed.close());

function verdict(bundle: Uint8Array, digest: string): string {
  const { status, code } = verifyBundle(bundle, { identity: 'any', artifact: { sha256: Buffer.from(digest, 'hex') } }, { trust: loadTrust(bed.trustedRoot), prehash: createPrehash() });
  return `${status} ${code ?? ''}`.trim();
}

function claimOf(response: EndStepResponse) {
  const { content } = parseBundle(response.claim!.bundle);
  if (content.kind !== 'dsse') throw new Error('no DSSE');
  return parseClaim(content.payload);
}

interface Sealed {
  readonly spiffeId: string;
  readonly items: readonly { readonly name: string; readonly sha256: string; readonly bundle: object }[];
}
interface Refused {
  readonly error: { readonly code: string };
}

describe.each(namespacesWork ? [true, false] : [false])('a step, isolated: %s', (isolated) => {
  it('is attested, seals while it runs, and has what it left sealed at its end', async () => {
    const run = await bed.run(YAML, isolated);
    const step = await bed.step(run, 'one', isolated);
    expect(step.started.spiffeId).toBe('spiffe://example.org/ns/local/task/release/step/one');
    expect(step.started.attested.join()).toContain(isolated ? 'pid namespace' : 'not isolated');

    const file = join(step.folder, 'a.tgz');
    writeFileSync(file, 'the archive');
    const sealed = await step.call('POST', '/v1/seal', { items: [
      { name: 'a.tgz', path: file },
      { name: 'digest', sha256: sha256('elsewhere') },
      { name: 'note', statement: { predicateType: 'https://example.com/note/v1', predicate: { good: true }, subjects: [{ name: 'a.tgz', sha256: sha256('the archive') }] } },
    ] }) as Sealed;
    expect(sealed.spiffeId).toBe(step.started.spiffeId);
    expect(sealed.items.map(({ name }) => name)).toEqual(['a.tgz', 'digest', 'note']);
    expect(verdict(Buffer.from(JSON.stringify(sealed.items[0]!.bundle)), sha256('the archive'))).toBe('ok');
    expect(await step.call('GET', '/v1/identity')).toMatchObject({ identities: [{ spiffeId: step.started.spiffeId, roads: ['seal'] }] });
    expect(await step.call('POST', '/v1/token', { audience: ['test'] })).toMatchObject({ svids: [{ spiffeId: step.started.spiffeId }] });

    writeFileSync(join(step.folder, 'results/version'), '1.2.3');
    writeFileSync(join(step.folder, 'results/list'), '["a","b"]');
    writeFileSync(join(step.folder, 'one/results/own'), 'mine');
    writeFileSync(join(step.folder, 'results/tgz-ARTIFACT_OUTPUTS'), JSON.stringify({ uri: `file://${file}`, digest: `sha256:${sha256('the archive')}` }));
    writeFileSync(join(step.folder, 'results/src-ARTIFACT_INPUTS'), JSON.stringify({ uri: 'git+https://example.com/x', digest: `sha256:${sha256('source')}` }));
    writeFileSync(join(step.folder, 'one/provenance.json'), JSON.stringify({
      inputs: [{ name: 'commit', values: [{ uri: 'git+https://example.com/x', digest: { sha1: 'ab'.repeat(20) } }] }],
      outputs: [{ name: 'image', buildOutput: true, values: [{ uri: 'pkg:oci/image@sha256:00', digest: { sha256: sha256('image') } }] }, { name: 'again', values: [{ uri: file, digest: { sha256: sha256('the archive') } }] }],
    }));
    const response = await step.end();
    expect(codes(response)).toEqual([]);
    expect(response.artifacts.map(({ name, path, sha256: digest }) => [name, path, digest])).toEqual([['a.tgz', file, sha256('the archive')], ['image', '', sha256('image')]]);
    for (const { bundle, sha256: digest } of response.artifacts) expect(verdict(bundle, digest)).toBe('ok');
    const claim = claimOf(response);
    expect(claim.results.map(({ scope, name, value }) => [`${scope}/${name}`, value?.slice(0, 9)])).toEqual([
      ['step/own', 'mine'], ['task/list', '["a","b"]'], ['task/src-ARTIFACT_INPUTS', '{"uri":"g'], ['task/tgz-ARTIFACT_OUTPUTS', '{"uri":"f'], ['task/version', '1.2.3'],
    ]);
    expect(claim.artifacts.map(({ name, observed }) => [name, observed])).toEqual([['a.tgz', true], ['image', false]]);
    expect(claim.inputs.map(({ name, sha256: digest }) => [name, digest])).toEqual([['src-ARTIFACT_INPUTS', sha256('source')]]);
    expect(claim.seals.map(({ kind }) => kind)).toEqual(['artifact', 'artifact', 'statement']);
    expect(claim.evidence.observed).toMatchObject({ peer: 'pidfd', isolation: isolated ? 'isolated' : 'unisolated' });
    const evidence = parseBundle(response.evidence!.bundle).content;
    expect(evidence.kind === 'dsse' && parseNodeEvidence(evidence.payload)).toMatchObject({ exitCode: 0, reason: '' });
    expect(Buffer.from(response.results['version']!).toString()).toBe('1.2.3');
    expect(Buffer.from(response.stepResults['own']!).toString()).toBe('mine');
    expect(response.resultDigests['task/version']).toBe(sha256('1.2.3'));

    // every road is closed, also for processes that outlive the step
    expect(((await step.call('POST', '/v1/seal', { items: [{ name: 'x', sha256: sha256('x') }] })) as Refused).error.code).toBe('ATTEMPT_ENDED');
    expect(((await step.call('POST', '/v1/token', { audience: ['test'] })) as Refused).error.code).toBe('ATTEMPT_ENDED');
    await expect(step.end()).rejects.toMatchObject({ code: 'ATTEMPT_ENDED' });
  });

  it('seals over gRPC too, as itself, beside another step that does the same', async () => {
    const run = await bed.run(YAML, isolated);
    const [one, two] = [await bed.step(run, 'one', isolated), await bed.step(run, 'two', isolated)];
    const [first, second] = await Promise.all([one.call('gRPC', sha256('1')), two.call('gRPC', sha256('2'))]) as [Sealed, Sealed];
    expect([first.spiffeId, second.spiffeId]).toEqual([one.started.spiffeId, two.started.spiffeId]);
    expect(verdict(Buffer.from(JSON.stringify(second.items[0]!.bundle)), sha256('2'))).toBe('ok');
    expect(claimOf(await one.end()).seals).toEqual([{ kind: 'artifact', sha256: sha256('1') }]);
    expect(claimOf(await two.end()).seals).toEqual([{ kind: 'artifact', sha256: sha256('2') }]);
  });

  it('is found out when it overwrites an earlier step\'s result, changes what it sealed, or declares what is not there', async () => {
    const run = await bed.run(YAML, isolated);
    const one = await bed.step(run, 'one', isolated);
    writeFileSync(join(one.folder, 'results/version'), '1');
    expect(codes(await one.end())).toEqual([]);
    const two = await bed.step(run, 'two', isolated);
    writeFileSync(join(two.folder, 'results/version'), '2');
    writeFileSync(join(two.folder, 'b'), 'sealed');
    await two.call('POST', '/v1/seal', { items: [{ name: 'b', path: join(two.folder, 'b') }] });
    writeFileSync(join(two.folder, 'b'), 'changed');
    writeFileSync(join(two.folder, 'two/provenance.json'), JSON.stringify({ outputs: [
      { name: 'gone', values: [{ uri: `file://${two.folder}/gone`, digest: { sha256: sha256('gone') } }] },
      { name: 'other', values: [{ uri: join(two.folder, 'b'), digest: { sha256: sha256('other') } }] },
      { name: 'weak', values: [{ uri: 'pkg:x', digest: { sha1: 'ab'.repeat(20) } }] },
    ] }));
    const response = await two.end();
    expect(codes(response)).toEqual(['ARTIFACT_CHANGED', 'DIGEST_INVALID', 'OUTPUT_NOT_OBSERVED', 'OUTPUT_NOT_OBSERVED', 'RESULT_NOT_SIGNED_BY_PRODUCER']);
    expect(response.artifacts).toEqual([]);
  });

  it('does not claim what an earlier step left unchanged, and takes large results by digest', async () => {
    const run = await bed.run(YAML, isolated);
    const one = await bed.step(run, 'one', isolated);
    writeFileSync(join(one.folder, 'results/version'), '1');
    writeFileSync(join(one.folder, 'results/big'), '');
    truncateSync(join(one.folder, 'results/big'), 20_000_000);
    const first = await one.end(3);
    expect(first.results['big']).toBeUndefined();
    expect(first.resultDigests['task/big']).toBe(sha256(new Uint8Array(20_000_000)));
    expect(claimOf(first).results.find(({ name }) => name === 'big')).toEqual({ name: 'big', scope: 'task', type: 'string', sha256: sha256(new Uint8Array(20_000_000)) });
    const two = await bed.step(run, 'two', isolated);
    const second = await two.end();
    expect(claimOf(second).results).toEqual([]);
    expect(Object.keys(second.resultDigests).toSorted()).toEqual(['task/big', 'task/version']);
    expect(codes(second)).toEqual([]);
  });

  it('is told what is wrong with its results, one by one, and the rest is sealed', async () => {
    const run = await bed.run(YAML, isolated);
    const one = await bed.step(run, 'one', isolated);
    writeFileSync(join(one.folder, 'results/big'), '');
    truncateSync(join(one.folder, 'results/big'), 300 * 1024 * 1024);
    symlinkSync('/etc/hostname', join(one.folder, 'results/version'));
    writeFileSync(join(one.folder, 'results/list'), 'not json');
    mkdirSync(join(one.folder, 'results/src-ARTIFACT_INPUTS'));
    writeFileSync(join(one.folder, 'results/tgz-ARTIFACT_OUTPUTS'), '{"uri":"x","digest":"sha256"}');
    writeFileSync(join(one.folder, 'one/provenance.json'), '{"outputs":[], "outputs":[]}');
    const response = await one.end();
    expect(codes(response)).toEqual(['ARTIFACTS_INVALID', 'CLAIM_ENCODING', 'FILE_NOT_REGULAR', 'FILE_NOT_REGULAR', 'JSON_DUPLICATE_KEY', 'RESULT_TOO_LARGE']);
    expect(claimOf(response).results.map(({ name }) => name)).toEqual(['list', 'tgz-ARTIFACT_OUTPUTS']);
  });

  it('cannot seal with a reserved predicate, another\'s file, or nothing at all', async () => {
    const step = await bed.step(await bed.run(YAML, isolated), 'one', isolated);
    const refusals = async (bodies: readonly object[]): Promise<string[]> => (await Promise.all(bodies.map((body) => step.call('POST', '/v1/seal', body)))).map((answer) => (answer as Refused).error.code);
    const statement = (predicateType: string) => ({ name: 'x', statement: { predicateType, predicate: {}, subjects: [{ name: 'a', sha256: sha256('a') }] } });
    const one = (item: object) => ({ items: [item] });
    expect(await refusals([
      one(statement('https://slsa.dev/provenance/v1')), one(statement('https://stepseal.dev/step/v1')), one({ name: 'x', path: '/dev/zero' }),
      one({ name: 'x', path: `${step.folder}/../x` }), one({ name: 'x', path: '/none' }), one({ name: 'x' }), { items: [] },
    ])).toEqual(['PREDICATE_RESERVED', 'PREDICATE_RESERVED', 'FILE_NOT_REGULAR', 'FILE_OUTSIDE_ROOT', 'FILE_NOT_FOUND', 'JSON_INVALID', 'SEAL_INVALID']);
    await step.end();
  });
});

describe('the runner\'s connection', () => {
  it('registers nothing that is not its own, and no process twice', async () => {
    const run = await bed.run(YAML, false);
    const step = await bed.step(run, 'one', false);
    const request = { ...run, step: 'two', attempt: 1, isolated: false, rendered: Buffer.from('{}'), image: 'none', paths: { results: '/r' } };
    await expect(bed.runner.startStep({ ...request, pid: process.ppid })).rejects.toMatchObject({ code: 'STEP_FOREIGN' });
    await expect(bed.runner.startStep({ ...request, pid: step.child.pid! })).rejects.toMatchObject({ code: 'STEP_FOREIGN' });
    await expect(bed.runner.startStep({ ...request, pid: step.child.pid!, isolated: true })).rejects.toMatchObject({ code: 'STEP_NOT_ISOLATED' });
    await expect(bed.runner.startStep({ ...request, pid: 4_000_000 })).rejects.toMatchObject({ code: 'STEP_PROCESS_GONE' });
    await expect(bed.runner.startStep({ ...request, pid: step.child.pid!, rendered: Buffer.from('{ }') })).rejects.toMatchObject({ code: 'EVIDENCE_INVALID' });
    await step.end();
  });

  it('gives its own programs no identity', async () => {
    expect(await bed.call('GET', '/v1/identity')).toMatchObject({ error: { code: 'CALLER_OF_RUNNER' } });
  });
});

const person = userName(process.getuid!());

// a uid without a name has no identity: there would be nothing to call it
describe.skipIf(person === '')('the person at the terminal', () => {
  it('has an identity, a token and Seals of their own', async () => {
    const id = `spiffe://example.org/local/user/${person}`;
    expect(await bed.person('GET', '/v1/identity')).toMatchObject({ identities: [{ spiffeId: id, roads: ['seal', 'bearer'] }] });
    expect(await bed.person('POST', '/v1/token', { audience: ['sigstore'] })).toMatchObject({ svids: [{ spiffeId: id }] });
    const sealed = (await bed.person('POST', '/v1/seal', { items: [{ name: 'x', sha256: sha256('x') }] })) as Sealed;
    expect(sealed.spiffeId).toBe(id);
    expect(verdict(Buffer.from(JSON.stringify(sealed.items[0]!.bundle)), sha256('x'))).toBe('ok');
    expect(((await bed.person('POST', '/v1/token', { audience: [] })) as Refused).error.code).toBe('WORKLOAD_REQUEST');
  });

  it('seals a thousand artifacts in one call', async () => {
    const items = Array.from({ length: 1000 }, (_, i) => ({ name: `${i}`, sha256: sha256(`${i}`) }));
    const sealed = (await bed.person('POST', '/v1/seal', { items })) as Sealed;
    expect(sealed.items.map(({ sha256: digest }) => digest)).toEqual(items.map(({ sha256: digest }) => digest));
    expect(verdict(Buffer.from(JSON.stringify(sealed.items[999]!.bundle)), sha256('999'))).toBe('ok');
  });
});

describe('a runner that goes away', () => {
  it('takes its open steps with it, and where they were not isolated the person\'s road', async () => {
    const other = await agentBed();
    try {
      const step = await other.step(await other.run(YAML, false), 'one', false);
      other.agent.stdio[3]!.destroy();
      let last = '';
      for (let i = 0; i < 100 && last !== 'ATTEMPT_ENDED'; i++) last = ((await step.call('POST', '/v1/token', { audience: ['x'] })) as Partial<Refused>).error?.code ?? '';
      expect(last).toBe('ATTEMPT_ENDED');
      expect(await other.person('GET', '/v1/identity')).toMatchObject({ error: { code: 'PERSON_ROAD_CLOSED' } });
    } finally {
      await other.close();
    }
  });
});
