import { afterAll, describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { encodeStatement, STATEMENT_TYPE } from '../../src/envelope/statement.ts';
import { createUniverse, encodedTrust, seal } from '../fakes/universe.ts';
import { lines, runPeer, scratch, without } from './run.ts';
import { type Json, tamperings } from './tampered.ts';

const STEP = 'spiffe://example.org/ns/local/task/release/step/build';
const PROVENANCE = 'spiffe://example.org/stepseal/provenance';
const SLSA = 'https://slsa.dev/provenance/v1';
const artifact = utf8('a release');
const files = scratch();
afterAll(() => files.remove());

const universe = await createUniverse();
const statement = encodeStatement({
  _type: STATEMENT_TYPE,
  subject: [{ name: 'release.tgz', digest: { sha256: toHex(sha256(artifact)) } }],
  predicateType: SLSA,
  predicate: { buildDefinition: { buildType: 'https://example.org/task', externalParameters: {} }, runDetails: { builder: { id: 'https://example.org/stepseal/local' } } },
});
// others before and between, so that every proof has hashes
await seal(universe, { artifact: utf8('earlier') }, { identity: STEP });
const message = JSON.parse(Buffer.from(await seal(universe, { artifact }, { identity: STEP })).toString()) as Json;
const provenance = JSON.parse(Buffer.from(await seal(universe, { statement }, { identity: PROVENANCE })).toString()) as Json;
const forged = JSON.parse(Buffer.from(await seal(universe, { statement }, { identity: STEP })).toString()) as Json;

const trust = files.put('trusted_root.json', encodedTrust(universe));
const release = files.put('release.tgz', artifact);
const other = files.put('other.tgz', 'another release');

let count = 0;
const put = (bundle: Json) => files.put(`${count++}.sigstore.json`, JSON.stringify(bundle));

interface Case {
  readonly bundle: Json;
  readonly identity: string;
  readonly file?: string;
  readonly type?: string;
}

function cosign({ bundle, identity, file = release, type }: Case): string {
  const command = type === undefined ? ['verify-blob'] : ['verify-blob-attestation', '--type', type];
  const args = ['--bundle', put(bundle), '--trusted-root', trust, '--certificate-identity', identity, '--certificate-oidc-issuer', universe.issuer, file];
  const { code, out, err } = runPeer('cosign', [...command, ...args]);
  return code === 0 ? 'accepted' : `${out}${err}`;
}

function sigstoreGo({ bundle, identity, file = release }: Case): string {
  const ran = runPeer('sgverify', ['--trusted-root', trust, '--identity', identity, '--issuer', universe.issuer, '--artifact', file, put(bundle)]);
  const [line] = lines<{ ok: boolean; error?: string; identity?: string }>(ran);
  return line?.ok === true ? 'accepted' : `${line?.error}${ran.err}`;
}

const TAMPERED = tamperings(message);

describe.skipIf(without('cosign'))('an unmodified cosign', () => {
  test('accepts the bundle of an artifact, offline', () => {
    expect(cosign({ bundle: message, identity: STEP })).toBe('accepted');
  });

  test('accepts provenance of the provenance identity', () => {
    expect(cosign({ bundle: provenance, identity: PROVENANCE, type: 'slsaprovenance1' })).toBe('accepted');
  });

  test('refuses provenance that a step has signed', () => {
    expect(cosign({ bundle: forged, identity: PROVENANCE, type: 'slsaprovenance1' })).toContain(STEP);
  });

  test('refuses another artifact and another identity', () => {
    expect(cosign({ bundle: message, identity: STEP, file: other })).not.toBe('accepted');
    expect(cosign({ bundle: provenance, identity: PROVENANCE, type: 'slsaprovenance1', file: other })).not.toBe('accepted');
    expect(cosign({ bundle: message, identity: `${STEP}/x` })).not.toBe('accepted');
  });

  test.each(TAMPERED)('refuses a change: %s', (_, bundle) => {
    expect(cosign({ bundle, identity: STEP })).not.toBe('accepted');
  });
});

describe.skipIf(without('sgverify'))('sigstore-go', () => {
  test('accepts what cosign accepts', () => {
    expect(sigstoreGo({ bundle: message, identity: STEP })).toBe('accepted');
    expect(sigstoreGo({ bundle: provenance, identity: PROVENANCE })).toBe('accepted');
  });

  test.each(TAMPERED)('refuses a change: %s', (_, bundle) => {
    expect(sigstoreGo({ bundle, identity: STEP })).not.toBe('accepted');
  });
});
