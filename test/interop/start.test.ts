import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runPeer, without } from './run.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');

interface Summary {
  readonly issuer: string;
  readonly artifacts: readonly {
    readonly path: string;
    readonly bundle: { readonly path: string; readonly identity: string };
    readonly attestations: readonly { readonly path: string; readonly predicateType: string; readonly identity: string }[];
  }[];
}

/** What `npm start` makes of this repository, in the hands of tools that are not ours. */
describe.skipIf(without('cosign', 'sgverify'))('what stepseal start leaves', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ss-out-'));
  const out = join(folder, 'out');
  const file = (name: string): string => join(out, name);
  let summary: Summary;

  beforeAll(() => {
    const ran = spawnSync(process.execPath, [MAIN, 'start', '--state', join(folder, 's'), '--out', out, '--http-port', '0', '--grpc-port', '0'], { cwd: folder, encoding: 'utf8', timeout: 90_000 });
    expect(`${ran.status} ${ran.stderr}`).toBe('0 ');
    summary = JSON.parse(readFileSync(file('summary.json'), 'utf8')) as Summary;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const trust = (): string[] => ['--trusted-root', file('trusted_root.json'), '--certificate-oidc-issuer', summary.issuer];
  const attested = (artifact: string, bundle: string, identity: string, type = 'slsaprovenance1') =>
    runPeer('cosign', ['verify-blob-attestation', artifact, '--bundle', bundle, '--type', type, '--certificate-identity', identity, ...trust()]);

  it('has every artifact verified by cosign verify-blob under its step, and under no other', () => {
    expect(summary.artifacts.map(({ bundle }) => bundle.identity)).toEqual([
      'spiffe://example.org/ns/local/task/release/step/build',
      'spiffe://example.org/ns/local/task/release/step/sbom',
    ]);
    for (const { path, bundle } of summary.artifacts) {
      const verify = (identity: string) => runPeer('cosign', ['verify-blob', file(path), '--bundle', file(bundle.path), '--certificate-identity', identity, ...trust()]);
      expect(verify(bundle.identity)).toMatchObject({ code: 0, err: expect.stringContaining('Verified OK') });
      expect(verify('spiffe://example.org/stepseal/provenance').code).not.toBe(0);
    }
  });

  it('has provenance that cosign verify-blob-attestation takes for each artifact, of exactly the provenance identity', () => {
    for (const { path, attestations } of summary.artifacts) {
      const [provenance] = attestations;
      expect(provenance).toMatchObject({ predicateType: 'https://slsa.dev/provenance/v1', identity: 'spiffe://example.org/stepseal/provenance' });
      expect(attested(file(path), file(provenance!.path), provenance!.identity)).toMatchObject({ code: 0, err: expect.stringContaining('Verified OK') });
    }
  });

  it('has no provenance for another file, for a step identity, or in a claim', () => {
    const [{ path, bundle, attestations }] = summary.artifacts as [Summary['artifacts'][0]];
    const [provenance, claim] = attestations as [Summary['artifacts'][0]['attestations'][0], Summary['artifacts'][0]['attestations'][0]];
    const changed = join(folder, 'changed');
    writeFileSync(changed, Buffer.concat([readFileSync(file(path)), Buffer.from('x')]));
    expect(attested(changed, file(provenance.path), provenance.identity).code).not.toBe(0);
    expect(attested(file(path), file(provenance.path), bundle.identity).code).not.toBe(0);
    // what a step signs is a claim, never provenance, whoever is expected
    expect(claim.predicateType).toBe('https://stepseal.dev/step/v1');
    expect(attested(file(path), file(claim.path), claim.identity).code).not.toBe(0);
    expect(attested(file(path), file(claim.path), claim.identity, claim.predicateType)).toMatchObject({ code: 0 });
    expect(attested(file(path), file(claim.path), provenance.identity, claim.predicateType).code).not.toBe(0);
  });

  it('is verified by sigstore-go, artifact by artifact', () => {
    for (const { path, bundle } of summary.artifacts) {
      const ran = runPeer('sgverify', ['--trusted-root', file('trusted_root.json'), '--identity', bundle.identity, '--issuer', summary.issuer, '--artifact', file(path), file(bundle.path)]);
      expect(`${ran.code} ${ran.err}`).toBe('0 ');
    }
  });
});
