import { describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { isStepsealError } from '../../src/base/errors.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { parseIdentityPattern } from '../../src/spiffe/pattern.ts';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { verifyChain } from '../../src/verifier/chain.ts';
import type { NamedBytes } from '../../src/verifier/evidenceSet.ts';
import { loadTrust } from '../../src/verifier/trust.ts';
import { createUniverse, encodedTrust, seal } from '../fakes/universe.ts';
import { makeRun } from '../fakes/universeRun.ts';

const universe = await createUniverse();
const context = { trust: loadTrust(encodedTrust(universe)), prehash: createPrehash() };
const run = await makeRun(universe);
const other = await makeRun(universe, { runUid: 'run-2' });
const expectation = { artifact: { sha256: sha256(run.artifact) }, identity: parseIdentityPattern(run.identity) };
const chain = (files: readonly NamedBytes[]) => verifyChain(files, expectation, context).status;

/** Every `stride`-th byte, one bit or the whole byte changed. */
function* changes(bytes: Uint8Array, stride: number): Generator<{ at: number; changed: Uint8Array }> {
  for (let at = 0; at < bytes.length; at += stride) {
    for (const change of [(byte: number) => byte ^ (1 << (at % 7)), () => 0x41]) {
      const changed = Buffer.from(bytes);
      changed[at] = change(bytes[at]!);
      if (changed[at] !== bytes[at]) yield { at, changed };
    }
  }
}

describe('a bundle', () => {
  const statement = utf8(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1', predicate: { result: 'passed' }, predicateType: 'https://example.com/test/v1',
      subject: [{ digest: { sha256: Buffer.from(expectation.artifact.sha256).toString('hex') }, name: 'release.tgz' }],
    }),
  );

  test.each([['message signature', { artifact: run.artifact }], ['attestation', { statement }]] as const)('of a %s is refused after any change of one byte', async (_, content) => {
    const bytes = await seal(universe, content, { identity: run.identity });
    expect(verifyBundle(bytes, expectation, context).status).toBe('ok');
    // docs/formats.md lists what nothing authenticates; no single byte of a bundle that we write is part of it
    const accepted: number[] = [];
    for (const { at, changed } of changes(bytes, 7)) if (verifyBundle(changed, { ...expectation, identity: 'any' }, context).status === 'ok') accepted.push(at);
    expect(accepted).toEqual([]);
  });

  test('is refused at every length below its own', async () => {
    const bytes = await seal(universe, { artifact: run.artifact }, { identity: run.identity });
    const accepted: number[] = [];
    for (let length = 0; length < bytes.length; length += 13) if (verifyBundle(bytes.subarray(0, length), expectation, context).status === 'ok') accepted.push(length);
    expect(accepted).toEqual([]);
  });
});

describe('a chain', () => {
  test('passes with everything and with no subset of it', () => {
    const passing: string[][] = [];
    for (let mask = 0; mask < 2 ** run.files.length; mask++) {
      const files = run.files.filter((_, index) => (mask >> index) % 2 === 1);
      if (chain(files) === 'ok') passing.push(files.map(({ name }) => name));
    }
    expect(passing).toEqual([run.files.map(({ name }) => name)]);
  });

  test('is the same in any order, with everything twice, and with all of another run beside it', () => {
    expect(chain(run.files.toReversed())).toBe('ok');
    expect(chain([...run.files, ...run.files])).toBe('ok');
    expect(chain([...other.files, ...run.files])).toBe('ok');
    expect(chain([...run.files, ...other.files, { name: 'notes.bundle', bytes: utf8('not a bundle') }])).toBe('ok');
  });

  test('holds where another run made the same artifact, whichever of the two provenances is at hand', async () => {
    const same = await makeRun(universe, { runUid: 'run-3', artifact: run.artifact });
    const signature = (files: readonly NamedBytes[]) => files.filter(({ name }) => name === 'release.tgz.sigstore.json');
    expect(chain([...signature(same.files), ...run.files])).toBe('ok');
    expect(chain([...signature(run.files), ...same.files])).toBe('ok');
    expect(chain([...same.files, ...run.files])).toBe('ok');
    expect(chain([...signature(same.files), ...run.files.filter(({ name }) => name !== 'release.tgz.sigstore.json')])).toBe('fail');
  });

  test('does not get whole by parts of another valid run', () => {
    for (const [index, missing] of run.files.entries()) {
      const rest = run.files.filter((file) => file !== missing);
      expect(chain([...rest, other.files[index]!]), missing.name).toBe('fail');
      expect(chain([...rest, ...other.files]), missing.name).toBe('fail');
    }
  });

  test('is refused after a change of one byte in any of its bundles', () => {
    const accepted: string[] = [];
    for (const [index, { name, bytes }] of run.files.entries()) {
      for (const { at, changed } of changes(bytes, 701)) {
        const files = run.files.map((file, place) => (place === index ? { name, bytes: changed } : file));
        if (chain(files) === 'ok') accepted.push(`${name} at ${at}`);
      }
    }
    expect(accepted).toEqual([]);
  });

  test('gives the same verdict again, whatever was verified in between', () => {
    const first = verifyChain(run.files, expectation, context);
    chain(run.files.slice(1));
    expect(verifyChain(run.files, expectation, { ...context, trust: loadTrust(encodedTrust(universe)) })).toEqual(first);
  });
});

test('a trusted root with any byte changed is refused with a code, or is one', () => {
  const faults: unknown[] = [];
  for (const { at, changed } of changes(encodedTrust(universe), 1)) {
    try {
      loadTrust(changed);
    } catch (error) {
      if (!isStepsealError(error)) faults.push([at, error]);
    }
  }
  expect(faults).toEqual([]);
});
