import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isStepsealError } from '../../src/base/errors.ts';
import { type Bundle, encodeBundle, parseBundle } from '../../src/envelope/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, pae } from '../../src/envelope/dsse.ts';
import { encodeHashedRekord, parseHashedRekord } from '../../src/envelope/hashedRekord.ts';
import { encodeStatement, parseStatement, STATEMENT_TYPE } from '../../src/envelope/statement.ts';

const bytes = (min: number, max = min) => fc.uint8Array({ minLength: min, maxLength: max });
const index = fc.maxSafeNat();
// toEqual walks byte by byte
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const entry = fc.record({
  logIndex: index,
  logId: bytes(32),
  kindVersion: fc.constant({ kind: 'hashedrekord', version: '0.0.2' }),
  inclusionProof: fc.record({ logIndex: index, treeSize: index, rootHash: bytes(32), hashes: fc.array(bytes(32), { maxLength: 5 }), checkpoint: fc.string({ unit: 'binary' }) }),
  canonicalizedBody: bytes(1, 60),
});
const bundle: fc.Arbitrary<Bundle> = fc.record({
  certificate: bytes(1, 60),
  tlogEntries: fc.array(entry, { maxLength: 2 }),
  timestamps: fc.array(bytes(1, 40), { maxLength: 2 }),
  content: fc.oneof(
    fc.record({ kind: fc.constant('message' as const), digest: fc.oneof(bytes(32), bytes(48), bytes(64)), signature: bytes(1, 80) }),
    fc.record({ kind: fc.constant('dsse' as const), payload: bytes(1, 80), payloadType: fc.constant(IN_TOTO_PAYLOAD_TYPE), signature: bytes(1, 80) }),
  ),
});

describe('bundles', () => {
  test('read back as they were written', () => {
    fc.assert(
      fc.property(bundle, (value) => {
        const text = encodeBundle(value);
        expect(same(encodeBundle(parseBundle(text)), text)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('with one byte changed are refused with a code, or say something else', () => {
    fc.assert(
      fc.property(bundle, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, position, change) => {
        const text = Buffer.from(encodeBundle(value));
        const at = position % text.length;
        text[at] = text[at]! ^ change;
        try {
          expect(same(encodeBundle(parseBundle(text)), encodeBundle(value))).toBe(false);
        } catch (error) {
          if (!isStepsealError(error)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test('log entries: any byte changed is refused or is another entry in canonical form', () => {
  const value = { digest: new Uint8Array(32).fill(1), signature: new Uint8Array(70).fill(2), certificate: new Uint8Array(90).fill(3), keyDetails: 'PKIX_ECDSA_P256_SHA_256' as const };
  const original = encodeHashedRekord(value);
  fc.assert(
    fc.property(fc.nat({ max: original.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const body = Buffer.from(original);
      body[at] = body[at]! ^ change;
      try {
        expect(same(encodeHashedRekord(parseHashedRekord(body)), body)).toBe(true);
      } catch (error) {
        if (!isStepsealError(error)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
});

test('statements read back as they were written', () => {
  const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
  const statement = fc.record({
    _type: fc.constant(STATEMENT_TYPE),
    subject: fc.array(fc.record({ name: fc.string({ unit: 'binary' }), digest: fc.record({ sha256: hex(64), sha512: hex(128) }, { requiredKeys: ['sha256'] }) }, { requiredKeys: ['digest'] }), { minLength: 1, maxLength: 4 }),
    predicateType: fc.webUrl(),
    predicate: fc.dictionary(fc.string({ unit: 'binary' }), fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null))),
  });
  fc.assert(
    fc.property(statement, (value) => {
      const text = encodeStatement(value);
      expect(same(encodeStatement(parseStatement(text)), text)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('no two pairs of type and payload have one pre-authentication encoding', () => {
  const part = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom('a 1 b', ' 1 ', '1', ''));
  fc.assert(
    fc.property(part, part, part, part, (typeA, payloadA, typeB, payloadB) => {
      fc.pre(typeA !== typeB || payloadA !== payloadB);
      expect(same(pae(typeA, Buffer.from(payloadA)), pae(typeB, Buffer.from(payloadB)))).toBe(false);
    }),
    { numRuns: 1000 },
  );
});
