import { afterAll, describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { encodeStatement, STATEMENT_TYPE } from '../../src/envelope/statement.ts';
import { createUniverse, encodedTrust, seal } from '../fakes/universe.ts';
import { lines, runPeer, scratch, without } from './run.ts';

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

/** a bundle as JSON; only tests look into it like this */
interface Json {
  [name: string | number]: Json;
}

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

/** The bundle with something else at a path: base64 with one bit of one byte changed, or what `change` makes. */
function tampered(bundle: Json, path: readonly (string | number)[], change: (value: string) => unknown = flip(-8)): Json {
  const copy = structuredClone(bundle);
  const last = path.at(-1)!;
  const holder = path.slice(0, -1).reduce((value, name) => value[name]!, copy) as Record<string | number, unknown>;
  holder[last] = change(holder[last] as string);
  return copy;
}

/** Changes one bit of the byte at `at`, counted from the end when negative. */
function flip(at: number): (base64: string) => string {
  return (base64) => {
    const bytes = Buffer.from(base64, 'base64');
    const index = at < 0 ? bytes.length + at : at;
    bytes[index]! ^= 1;
    return bytes.toString('base64');
  };
}

const ENTRY = ['verificationMaterial', 'tlogEntries', 0];
const checkpointLine = (line: number) => (envelope: string) =>
  envelope.split('\n').map((text, i) => (i === line ? text.replace(/(.)(.{8})$/, (_, one: string, rest: string) => (one === 'A' ? 'B' : 'A') + rest) : text)).join('\n');

/** What no verifier may accept; the certificate's changed byte is in its signed part, the token's in its signature. */
const TAMPERED: readonly (readonly [name: string, bundle: Json])[] = [
  ['signature', tampered(message, ['messageSignature', 'signature'])],
  ['digest of the artifact', tampered(message, ['messageSignature', 'messageDigest', 'digest'])],
  ['signed part of the certificate', tampered(message, ['verificationMaterial', 'certificate', 'rawBytes'], flip(200))],
  ['outer log index', tampered(message, [...ENTRY, 'logIndex'], () => '7')],
  ['hash of the inclusion proof', tampered(message, [...ENTRY, 'inclusionProof', 'hashes', 0])],
  ['root of the checkpoint', tampered(message, [...ENTRY, 'inclusionProof', 'checkpoint', 'envelope'], checkpointLine(2))],
  ["log's signature", tampered(message, [...ENTRY, 'inclusionProof', 'checkpoint', 'envelope'], checkpointLine(4))],
  ['timestamp token', tampered(message, ['verificationMaterial', 'timestampVerificationData', 'rfc3161Timestamps', 0, 'signedTimestamp'])],
  ['no timestamp', tampered(message, ['verificationMaterial', 'timestampVerificationData', 'rfc3161Timestamps'], () => [])],
  ['no log entry', tampered(message, ['verificationMaterial', 'tlogEntries'], () => [])],
];

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
