import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { certifyAuthority } from '../../../src/ca/authority.ts';
import { issueX509Svid, svidIssuer } from '../../../src/ca/svid.ts';
import { runCli } from '../../../src/cli/run.ts';
import { encodePem } from '../../../src/der/pem.ts';
import { encodeSigningConfig } from '../../../src/envelope/signingConfig.ts';
import { encodeSpiffeBundle } from '../../../src/spiffe/bundleDocument.ts';
import { signJwtSvid } from '../../../src/spiffe/jwtSvid.ts';
import { signingConfig } from '../../../src/trust/signingConfig.ts';
import { golden } from '../../fakes/golden.ts';
import { fakeIo } from '../../fakes/io.ts';
import { seededRng, seededSigner } from '../../fakes/seeded.ts';
import { certify, checkpointOf, createUniverse, encodedTrust, START, treeOf } from '../../fakes/universe.ts';
import { makeRun } from '../../fakes/universeRun.ts';

const cwd = mkdtempSync(join(tmpdir(), 'stepseal-inspect-'));
afterAll(() => rmSync(cwd, { recursive: true }));

const universe = await createUniverse();
const run = await makeRun(universe);
const file = (name: string): Uint8Array => run.files.find((each) => each.name === name)!.bytes;
const build = 'spiffe://example.org/ns/local/task/release/step/build';

const make = { trustDomain: 'example.org', now: START, rng: seededRng('svid') };
const root = await certifyAuthority('identity-root', { ...make, signer: seededSigner('identity root') });

async function svid(): Promise<string> {
  const authority = await certifyAuthority('svid-ca', { ...make, signer: seededSigner('svid ca'), issuer: root });
  const issuer = svidIssuer({ trustDomain: 'example.org', authority, clock: { now: () => START }, rng: make.rng });
  const { chain } = await issueX509Svid(issuer, { spiffeId: build, spki: seededSigner('workload').spki, seconds: 300 });
  return chain.map((der) => encodePem('CERTIFICATE', der)).join('');
}

const FILES: Record<string, () => Promise<string | Uint8Array> | string | Uint8Array> = {
  'artifact-bundle': () => file('release.tgz.sigstore.json'),
  'claim-bundle': () => file('claim-source.sigstore.json'),
  'evidence-bundle': () => file('evidence-build.sigstore.json'),
  'provenance-bundle': () => file('provenance.sigstore.json'),
  certificate: () => certify(universe, { identity: build, key: seededSigner('inspected'), evidence: { custody: 'bearer' } }),
  svid,
  jwt: () => signJwtSvid({ signer: seededSigner('jwt'), kid: 'k1', sub: build, aud: ['sigstore'], iss: 'https://example.org', iat: START, exp: START + 300_000, claims: { attempt: 'run-1-build' } }),
  checkpoint: () => checkpointOf(universe, 3, treeOf(universe.leaves.slice(0, 3)).root()),
  'trusted-root': () => encodedTrust(universe),
  'signing-config': () => encodeSigningConfig(signingConfig({ operator: 'example.org', http: 'http://localhost:7980', issuer: 'https://example.org', start: START })),
  'spiffe-bundle': () => encodeSpiffeBundle({ x509Authorities: [root.certificate.der], jwtAuthorities: [{ kid: 'k1', spki: seededSigner('jwt').spki }], sequence: 3 }),
};

async function inspected(name: string, content: string | Uint8Array, ...flags: string[]): Promise<{ code: number; out: string; err: string }> {
  writeFileSync(join(cwd, name), content);
  const io = fakeIo({ cwd });
  const code = await runCli(['inspect', name, ...flags], io);
  return { code, out: io.stdout(), err: io.stderr() };
}

describe('stepseal inspect', () => {
  test.each(Object.keys(FILES))('explains a %s', async (name) => {
    const { code, out } = await inspected(name, await FILES[name]!());
    expect(code).toBe(0);
    expect(out).toBe(golden(`inspect/${name}.txt`, out));
  });

  test('--json is the same as data', async () => {
    const { out } = await inspected('checkpoint', await FILES['checkpoint']!(), '--json');
    expect(JSON.parse(out)).toMatchObject([{ path: 'checkpoint', explanation: { title: 'Checkpoint', facts: [['log', universe.origin], ['size', '3 entries'], expect.anything(), expect.anything()] } }]);
  });

  test.each([
    ['text', 'hello'],
    ['other JSON', '{"a":1}'],
    ['bytes', Uint8Array.of(0xff, 0xfe)],
    ['nothing', ''],
  ])('says that it cannot explain %s', async (_, content) => {
    const { code, err } = await inspected('unknown', content);
    expect(code).toBe(1);
    expect(err).toContain('INSPECT_UNKNOWN: unknown: this is nothing that Stepseal can explain');
  });

  test.each([
    ['a key', encodePem('PRIVATE KEY', Buffer.from('secret'.repeat(20)))],
    ['a key before its certificate', `${encodePem('PRIVATE KEY', Buffer.from('secret'.repeat(20)))}${encodePem('CERTIFICATE', Buffer.from('certificate'))}`],
    ['a join token', 'c2VjcmV0c2VjcmV0c2VjcmV0'],
  ])('shows nothing of %s', async (_, content) => {
    const { code, err } = await inspected('secret', content);
    expect(code).toBe(1);
    expect(err).toMatch(/^stepseal: INSPECT_UNKNOWN: .*; found (?:a private key, which is not shown|24 characters of text)\n$/);
  });

  test('names the file in a broken bundle', async () => {
    const { code, err } = await inspected('broken.json', utf8(Buffer.from(file('release.tgz.sigstore.json')).toString().replace('"mediaType"', '"mediatype":1,"mediaType"')));
    expect(code).toBe(1);
    expect(err).toContain('BUNDLE_INVALID: broken.json: ');
  });

  test('lets no control character of a file through to the terminal', async () => {
    const evil = await makeRun(universe, { claimed: (_, content) => ({ ...content, artifacts: content.artifacts.map((each) => ({ ...each, name: '\u001b[2J\u202egpj.exe' })) }) });
    const { out } = await inspected('evil', evil.files.find(({ name }) => name === 'claim-build.sigstore.json')!.bytes);
    expect(out).toContain('\\u001b[2J\\u202egpj.exe');
    expect(out).not.toMatch(/[\u001b\u202e]/);
  });
});
