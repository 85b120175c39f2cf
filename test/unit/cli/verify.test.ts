import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../../src/base/bytes.ts';
import { toHex } from '../../../src/base/hex.ts';
import { runCli } from '../../../src/cli/run.ts';
import { golden } from '../../fakes/golden.ts';
import { fakeIo } from '../../fakes/io.ts';
import { createUniverse, encodedTrust, seal } from '../../fakes/universe.ts';
import { makeRun } from '../../fakes/universeRun.ts';

const ROOT = join(import.meta.dirname, '../../..');
const cwd = mkdtempSync(join(tmpdir(), 'stepseal-verify-'));
afterAll(() => rmSync(cwd, { recursive: true }));

const universe = await createUniverse();
const run = await makeRun(universe);
const digest = toHex(sha256(run.artifact));
const signature = run.files.find(({ name }) => name === 'release.tgz.sigstore.json')!;
const CHAIN = ['release.tgz', '--bundle', 'out', '--trusted-root', 'trusted_root.json', '--identity', run.identity];
const ONE = ['release.tgz', '--bundle', 'out/release.tgz.sigstore.json', '--trusted-root', 'trusted_root.json', '--signature-only'];

beforeAll(async () => {
  const write = (name: string, content: Uint8Array): void => writeFileSync(join(cwd, name), content);
  for (const folder of ['out', 'empty']) mkdirSync(join(cwd, folder));
  for (const { name, bytes } of run.files) write(`out/${name}`, bytes);
  write('out/trusted_root.json', encodedTrust(universe));
  write('out/summary.json', utf8('{}'));
  write('release.tgz', run.artifact);
  write('changed.tgz', utf8('changed'));
  write('trusted_root.json', encodedTrust(universe));
  write('broken_root.json', utf8('{"mediaType":"x"}'));
  write('all.jsonl', utf8(`${run.files.map(({ bytes }) => Buffer.from(bytes).toString()).join('\n')}\n`));
  write('withheld.jsonl', utf8(run.files.slice(1).map(({ bytes }) => Buffer.from(bytes).toString()).join('\n')));
  const statement = utf8(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', predicateType: 'https://example.com/test/v1', predicate: {}, subject: [{ name: 'release.tgz', digest: { sha256: digest } }] }));
  write('test.sigstore.json', await seal(universe, { statement }, { identity: run.identity }));
});

async function verify(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = fakeIo({ cwd });
  const code = await runCli(['verify', ...args], io);
  return { code, out: io.stdout(), err: io.stderr() };
}

describe('stepseal verify passes', () => {
  test('the whole chain, as a tree', async () => {
    const { code, out } = await verify(...CHAIN);
    expect(code).toBe(0);
    expect(out).toBe(golden('verify/pass.txt', out));
  });

  test.each([
    ['a digest in place of the file', [`sha256:${digest}`, ...CHAIN.slice(1)]],
    ['bundles one per line', ['release.tgz', '--bundle', 'all.jsonl', ...CHAIN.slice(3)]],
    ['bundles one by one', ['release.tgz', ...run.files.flatMap(({ name }) => ['--bundle', `out/${name}`]), ...CHAIN.slice(3)]],
    ['a pattern', [...CHAIN.slice(0, -1), 'spiffe://example.org/ns/{ns}/task/*/step/**']],
    ['the names that cosign has for two flags', [...CHAIN.slice(0, -2), '--certificate-identity', run.identity, '--certificate-oidc-issuer', 'https://example.org']],
    ['the right issuer and builder', [...CHAIN, '--issuer', 'https://example.org', '--builder', 'https://example.org/stepseal/local']],
    ['whoever signed it, said aloud', [...CHAIN.slice(0, -2), '--any-identity']],
    ['one signature', [...ONE, '--identity', run.identity]],
    ['one attestation by its type', ['release.tgz', '--bundle', 'test.sigstore.json', ...ONE.slice(3), '--any-identity', '--type', 'https://example.com/test/v1']],
    ['the provenance alone, as cosign does', ['release.tgz', '--bundle', 'out', ...ONE.slice(3), '--identity', 'spiffe://example.org/stepseal/provenance', '--type', 'https://slsa.dev/provenance/v1']],
  ])('with %s', async (_, args) => {
    const { code, out, err } = await verify(...args);
    expect(err).toBe('');
    expect(out).toContain('PASS: ');
    expect(code).toBe(0);
  });

  test('as JSON, with every link', async () => {
    const { code, out } = await verify(...CHAIN, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ link: 'chain', status: 'ok', children: [{ link: 'artifact' }, { link: 'provenance' }, { link: 'steps' }, { link: 'graph' }] });
  });

  test('without opening a socket or resolving a name', () => {
    const preload = join(ROOT, 'test/fakes/offline.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', preload, join(ROOT, 'src/cli/main.ts'), 'verify', ...CHAIN], { cwd, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toContain('PASS: ');
    expect(status).toBe(0);
  });
});

describe('stepseal verify fails', () => {
  test('with a tree that names the broken link', async () => {
    const { code, out } = await verify('changed.tgz', ...CHAIN.slice(1));
    expect(code).toBe(1);
    expect(out).toBe(golden('verify/fail.txt', out));
  });

  test.each([
    ['a lone bundle, where the chain was asked for', [...ONE.filter((arg) => arg !== '--signature-only'), '--any-identity'], 'EVIDENCE_INCOMPLETE'],
    ['a withheld bundle', ['release.tgz', '--bundle', 'withheld.jsonl', ...CHAIN.slice(3)], 'STEP_MISSING'],
    ['another signer', [...CHAIN.slice(0, -1), 'spiffe://example.org/ns/local/task/release/step/sbom'], 'IDENTITY_MISMATCH'],
    ['another issuer', [...CHAIN, '--issuer', 'https://other.example'], 'ISSUER_MISMATCH'],
    ['another builder', [...CHAIN, '--builder', 'https://example.org/stepseal/isolated'], 'BUILDER_NOT_TRUSTED_FOR_SIGNER'],
    ['another type than there is', [...CHAIN, '--type', 'https://cyclonedx.org/bom'], 'EVIDENCE_INCOMPLETE'],
  ])('for %s', async (_, args, expected) => {
    const { code, out } = await verify(...args);
    expect(out).toMatch(/\nFAIL: /);
    expect(out).toContain(expected);
    expect(code).toBe(1);
  });
});

describe('stepseal verify refuses', () => {
  test.each([
    ['to guess who should have signed', CHAIN.slice(0, -2), 2, 'who should have signed it?'],
    ['an identity beside --any-identity', [...CHAIN, '--any-identity'], 2, 'exclude each other'],
    ['--builder where provenance is left out', [...ONE, '--any-identity', '--builder', 'x'], 2, '--builder is about provenance'],
    ['to work without a trusted root', [...CHAIN.slice(0, 3), ...CHAIN.slice(5)], 2, '--trusted-root'],
    ['to work without a bundle', [CHAIN[0]!, ...CHAIN.slice(3)], 2, '--bundle'],
    ['a pattern that is no pattern', [...CHAIN.slice(0, -1), 'spiffe://example.org/ns/.*'], 1, 'IDENTITY_PATTERN_INVALID'],
    ['a missing artifact', ['missing.tgz', ...CHAIN.slice(1)], 1, 'FILE_UNREADABLE: missing.tgz cannot be read: there is no such file'],
    ['a missing bundle', ['release.tgz', '--bundle', 'missing.json', ...CHAIN.slice(3)], 1, 'FILE_UNREADABLE: missing.json cannot be read: there is no such file'],
    ['a folder without bundles', ['release.tgz', '--bundle', 'empty', ...CHAIN.slice(3)], 1, 'EVIDENCE_INCOMPLETE: folder empty holds no bundle'],
    ['a trusted root that is none', ['release.tgz', '--bundle', 'out', '--trusted-root', 'broken_root.json', ...CHAIN.slice(5)], 1, 'TRUSTED_ROOT_INVALID: broken_root.json: '],
    ['a digest that is none', ['sha256:ABC', ...CHAIN.slice(1)], 1, 'DIGEST_INVALID'],
  ])('%s', async (_, args, expected, text) => {
    const { code, err, out } = await verify(...args);
    expect(out).toBe('');
    expect(err).toContain(text);
    expect(code).toBe(expected);
  });
});

test('a bundle that cannot be read is named with its fault', async () => {
  writeFileSync(join(cwd, 'broken.sigstore.json'), Buffer.from(signature.bytes).toString().replace('"0"', '0'));
  const { code, out } = await verify('release.tgz', '--bundle', 'broken.sigstore.json', ...ONE.slice(3), '--any-identity');
  expect(code).toBe(1);
  expect(out).toContain('TLOG_PARSE');
});
