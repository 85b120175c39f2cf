import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fromHex } from '../../src/base/hex.ts';
import { parseBundle } from '../../src/envelope/bundle.ts';
import { parseTrustedRoot } from '../../src/envelope/trustedRoot.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { parseClaim } from '../../src/provenance/claim.ts';
import { parseIdentityPattern } from '../../src/spiffe/pattern.ts';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { loadTrust } from '../../src/verifier/trust.ts';
import { startBed } from '../fakes/startBed.ts';

const bed = startBed();
afterAll(bed.remove);

interface Attested {
  readonly path: string;
  readonly predicateType: string;
  readonly identity: string;
}
interface Summary {
  readonly issuer: string;
  readonly trustedRoot: string;
  readonly signingConfig: string;
  readonly endpoints: Record<'http' | 'grpc' | 'adminSocket' | 'workloadSocket' | 'sealSocket', string>;
  readonly artifacts: readonly { readonly path: string; readonly sha256: string; readonly bundle: Omit<Attested, 'predicateType'>; readonly attestations: readonly Attested[] }[];
}

const out = (name: string): string => join(bed.path('out'), name);
const summaryOf = (text: Buffer | string): Summary => JSON.parse(String(text)) as Summary;
const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const claimed = (name: string) => {
  const { content } = parseBundle(readFileSync(out(name)));
  if (content.kind !== 'dsse') throw new Error('no DSSE');
  return parseClaim(content.payload);
};

describe('stepseal start without a file', () => {
  test('makes the release of this repository, leaves everything in one folder, and nothing running', async () => {
    const { code, out: said, err } = await bed.start([]);
    expect(`${code} ${err}`).toBe('0 ');
    expect(said).toContain(`created trust domain example.org; its keys are plain PKCS#8 files, mode 0600, in ${bed.state}/server/keys`);
    for (const step of ['source', 'build', 'sbom']) expect(said).toContain(`identity  spiffe://example.org/ns/local/task/release/step/${step}`);
    expect(said).toMatch(/sealed {4}1 artifact, claim, node evidence in [\d.]+ ms/);
    expect(said).toContain('PASS: signed by spiffe://example.org/ns/local/task/release/step/build, built as the provenance says');
    expect(said).toContain(`./stepseal verify ${out('stepseal-0.1.0.tgz')} --bundle ${bed.path('out')}`);
    expect(said).toContain('cosign verify-blob-attestation');
    expect(bed.processes()).toEqual([]);

    const { issuer, trustedRoot, signingConfig, endpoints, artifacts } = summaryOf(readFileSync(out('summary.json')));
    expect({ issuer, trustedRoot, signingConfig }).toEqual({ issuer: 'https://example.org', trustedRoot: 'trusted_root.json', signingConfig: 'signing_config.json' });
    expect(endpoints).toEqual({
      http: expect.stringMatching(/^http:\/\/localhost:\d+$/), grpc: expect.stringMatching(/^127\.0\.0\.1:\d+$/), adminSocket: `${bed.state}/server/admin.sock`,
      workloadSocket: `${bed.state}/agent/workload.sock`, sealSocket: `${bed.state}/agent/seal.sock`,
    });
    expect(artifacts.map(({ path, bundle }) => [path, bundle.path, bundle.identity])).toEqual([
      ['stepseal-0.1.0.tgz', 'stepseal-0.1.0.tgz.sigstore.json', 'spiffe://example.org/ns/local/task/release/step/build'],
      ['stepseal-0.1.0.cdx.json', 'stepseal-0.1.0.cdx.json.sigstore.json', 'spiffe://example.org/ns/local/task/release/step/sbom'],
    ]);
    const trust = loadTrust(readFileSync(out(trustedRoot)));
    for (const { path, sha256: digest, bundle, attestations } of artifacts) {
      expect(sha256(readFileSync(out(path)))).toBe(digest);
      expect(attestations[0]).toEqual({ path: 'provenance.sigstore.json', predicateType: 'https://slsa.dev/provenance/v1', identity: 'spiffe://example.org/stepseal/provenance' });
      for (const { path: file, identity } of [bundle, ...attestations]) {
        const verdict = verifyBundle(readFileSync(out(file)), { identity: parseIdentityPattern(identity), issuer, artifact: { sha256: fromHex(digest, 32) } }, { trust, prehash: createPrehash() });
        expect(`${file} ${verdict.status} ${verdict.code ?? ''}`).toBe(`${file} ok `);
      }
    }
    expect(JSON.parse(readFileSync(out(signingConfig), 'utf8'))).toMatchObject({ caUrls: [{ url: endpoints.http }], rekorTlogUrls: [{ url: endpoints.http, majorApiVersion: 2 }] });
    expect(existsSync(bed.path('s/runs')) ? readdirSync(bed.path('s/runs')) : []).toEqual([]);
    const [first] = artifacts;
    const verify = await bed.run(['verify', out(first!.path), '--bundle', bed.path('out'), '--trusted-root', out(trustedRoot), '--identity', first!.bundle.identity]);
    expect(`${verify.code} ${verify.err}`).toBe('0 ');
  });
});

const TASK = `apiVersion: tekton.dev/v1
kind: Task
metadata: {name: pack}
spec:
  params: [{name: word, default: none}, {name: list, type: array, default: []}]
  workspaces: [{name: source, readOnly: true}, {name: target}]
  results: [{name: version}, {name: big}, {name: made-ARTIFACT_OUTPUTS, type: object, properties: {uri: {}, digest: {}}}]
  steps:
    - name: make
      image: debian:12
      args: ["$(params.list[*])"]
      script: |
        #!/bin/sh -eu
        cat $(workspaces.source.path)/input > $(workspaces.target.path)/made.txt
        echo "$(params.word) $*" | tee -a $(workspaces.target.path)/made.txt
        ! touch $(workspaces.source.path)/input 2> /dev/null
        printf 1.2 > $(results.version.path)
        truncate -s 100000000 $(results.big.path)
        digest=$(sha256sum $(workspaces.target.path)/made.txt | cut -d ' ' -f 1)
        printf '{"uri":"file://%s","digest":"sha256:%s"}' $(workspaces.target.path)/made.txt "$digest" > $(results.made-ARTIFACT_OUTPUTS.path)
    - {name: last, image: debian:12, script: "printf 'the big one has %s bytes' $(stat -c %s $(results.big.path))"}
`;

describe('a Task of one\'s own', () => {
  test('gets its parameters and workspaces, in the trust domain that is there; a result of 100 MB is sealed by its digest', async () => {
    mkdirSync(bed.path('in'));
    mkdirSync(bed.path('to'));
    bed.file('in/input', 'from the workspace\n');
    const root = readFileSync(out('trusted_root.json'));
    const { code, out: said, err } = await bed.start([bed.file('pack.yaml', TASK), '--param', 'word=hello', '--param', 'list=["a","b c"]', '--workspace', 'source=in', '--workspace', 'target=to']);
    expect(`${code} ${err}`).toBe('0 ');
    expect(said).not.toContain('created trust domain');
    expect(readFileSync(out('trusted_root.json'))).toEqual(root);
    expect(readFileSync(out('made.txt'), 'utf8')).toBe('from the workspace\nhello a b c\n');
    expect(readFileSync(bed.path('to/made.txt'), 'utf8')).toBe('from the workspace\nhello a b c\n');
    // a line without an end is printed before what is said of its step
    expect(said).toMatch(/│ the big one has 100000000 bytes\n {4}sealed /);
    const zeros = createHash('sha256').update(new Uint8Array(100_000_000)).digest('hex');
    expect(claimed('make.claim.sigstore.json').results.find(({ name }) => name === 'big')).toEqual({ name: 'big', scope: 'task', type: 'string', sha256: zeros });
    // what the run before left is gone
    expect(readdirSync(bed.path('out')).filter((name) => name.startsWith('stepseal-'))).toEqual([]);
  });

  test('that fails is said so: no provenance, exit 1, what there is stays', async () => {
    const steps = '[{name: bad, image: x, script: "echo so far; exit 7"}, {name: never, image: x, script: "echo no"}]';
    const { code, out: said, err } = await bed.start([bed.file('bad.yaml', `apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: bad}\nspec: {steps: ${steps}}\n`)]);
    expect(`${code} ${err}`).toBe('1 ');
    expect(said).toContain('✗ failed (exit 7)');
    expect(said).toContain('never skipped: an earlier step failed');
    expect(said).toContain('✗ no provenance: RUN_NOT_SUCCEEDED');
    expect(readdirSync(bed.path('out'))).toEqual(['bad.claim.sigstore.json', 'bad.evidence.sigstore.json', 'signing_config.json', 'summary.json', 'trusted_root.json']);
    expect(summaryOf(readFileSync(out('summary.json'))).artifacts).toEqual([]);
    expect(bed.processes()).toEqual([]);
  });
});

const PIPELINE = `apiVersion: tekton.dev/v1
kind: Task
metadata: {name: produce}
spec:
  results: [{name: words, type: array}]
  steps: [{name: s, image: x, script: "printf '[\\"one\\",\\"two\\"]' > $(results.words.path)"}]
---
apiVersion: tekton.dev/v1
kind: Pipeline
metadata: {name: both}
spec:
  params: [{name: end}]
  tasks:
    - {name: first, taskRef: {name: produce}}
    - name: second
      params: [{name: words, value: "$(tasks.first.results.words[*])"}]
      taskSpec: {params: [{name: words, type: array}], steps: [{name: s, image: x, command: [echo, got], args: ["$(params.words[*])"]}]}
    - name: third
      when: [{input: "$(tasks.first.results.words[0])", operator: in, values: [two]}]
      taskSpec: {steps: [{name: s, image: x, script: "echo never"}]}
  finally:
    - name: close
      params: [{name: how, value: "$(tasks.second.status) $(tasks.third.status) $(params.end)"}]
      taskSpec: {params: [{name: how}], steps: [{name: s, image: x, script: "echo in the end $(params.how)"}]}
---
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {generateName: both-}
spec: {pipelineRef: {name: both}, params: [{name: end, value: good}]}
---
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: single}
spec: {taskRef: {name: produce}}
`;

describe('several documents', () => {
  test('are a PipelineRun with its Pipeline and Tasks: results handed on, when, finally', async () => {
    const { code, out: said, err } = await bed.start([bed.file('all.yaml', PIPELINE), '--entry', 'PipelineRun/both-', '--json']);
    expect(code).toBe(0);
    expect(err).toContain('│ got one two');
    expect(err).toContain('│ in the end Succeeded None good');
    expect(err).not.toContain('never');
    expect(err).toContain('identity  spiffe://example.org/ns/local/pipeline/both/task/second/step/s');
    // with --json stdout is one document: the summary
    expect(said).toBe(`${JSON.stringify(JSON.parse(readFileSync(out('summary.json'), 'utf8')))}\n`);
    expect(parseTrustedRoot(readFileSync(out('trusted_root.json'))).tlogs).toHaveLength(1);
  });

  test('are two runs to choose from: none by itself, one by its name, as a Task that is referred to', async () => {
    const file = bed.path('all.yaml');
    expect(await bed.start([file])).toMatchObject({ code: 2, err: expect.stringContaining('TASK_AMBIGUOUS') });
    const { code, out: said, err } = await bed.start([file, '--entry', 'single']);
    expect(`${code} ${err}`).toBe('0 ');
    expect(said).toContain('identity  spiffe://example.org/ns/local/task/produce/step/s');
    expect(said).toContain('No artifacts: the run left none; its provenance is');
  });
});

describe('another trust domain', () => {
  test('is made by the first start that asks for it, and what it signed holds nowhere else', async () => {
    const file = bed.file('digest.yaml', TASK.replace(/steps:[^]*/, `steps:
    - name: make
      image: x
      script: |
        printf '{"uri":"pkg:oci/image","digest":"sha256:${sha256('image')}"}' > $(results.made-ARTIFACT_OUTPUTS.path)
`));
    const workspaces = ['--workspace', 'source=in', '--workspace', 'target=to'];
    const { code, out: said, err } = await bed.start([file, ...workspaces, '--trust-domain', 'build.example.com', '--state', bed.path('t'), '--out', 'other']);
    expect(`${code} ${err}`).toBe('0 ');
    expect(said).toContain('created trust domain build.example.com');
    expect(said).toContain(`(by digest, no file behind it)`);
    const summary = summaryOf(readFileSync(bed.path('other/summary.json')));
    expect(summary).toMatchObject({ issuer: 'https://build.example.com', artifacts: [{ name: 'image', sha256: sha256('image'), bundle: { identity: 'spiffe://build.example.com/ns/local/task/pack/step/make' } }] });
    const verify = (root: string, ...how: string[]) => bed.run(['verify', `sha256:${sha256('image')}`, '--bundle', 'other', '--trusted-root', root, ...how]);
    expect(await verify('other/trusted_root.json', '--identity', 'spiffe://build.example.com/ns/local/task/pack/step/make')).toMatchObject({ code: 0 });
    expect(await verify('out/trusted_root.json', '--any-identity')).toMatchObject({ code: 1, out: expect.stringContaining('TSA_UNTRUSTED') });
    expect(await verify('other/trusted_root.json', '--identity', 'spiffe://example.org/ns/local/task/pack/step/make')).toMatchObject({ code: 1, out: expect.stringContaining('IDENTITY_MISMATCH') });
  });
});
