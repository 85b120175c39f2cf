import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBase64, fromBase64Url, toBase64, toBase64Url } from '../../src/base/base64.ts';
import { isStepsealError } from '../../src/base/errors.ts';
import { fromHex, toHex } from '../../src/base/hex.ts';
import { canonicalJson, parseJson } from '../../src/base/json.ts';

const json = fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' });
const safe = (value: unknown): boolean =>
  typeof value === 'number' ? !Number.isInteger(value) || Number.isSafeInteger(value) : typeof value !== 'object' || value === null || Object.values(value).every(safe);

describe('JSON', () => {
  test('canonical form equals that of the canonicalize package', () => {
    fc.assert(fc.property(json, (value) => canonicalJson(value) === canonicalize(value)), { numRuns: 2000 });
  });

  test('canonical form reads back to the same value, and is its own canonical form', () => {
    fc.assert(
      fc.property(json.filter(safe), (value) => {
        const text = canonicalJson(value);
        const back = parseJson(text);
        expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(back));
        expect(canonicalJson(back)).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  test('what parseJson accepts, JSON.parse reads alike; what JSON.parse refuses, parseJson refuses', () => {
    const tokens = fc.array(fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '"a"', '"b"', '1', '-', '0', '1e5', '.5', 'true', 'null', ' ', '\n', '\\', '\\u0041', 'é', '\u0000', '\ufeff'), { maxLength: 14 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(tokens, json.map((value) => JSON.stringify(value))), (text) => {
        let strict: unknown;
        try {
          strict = parseJson(text);
        } catch (error) {
          // never another kind of error
          expect(isStepsealError(error)).toBe(true);
          return;
        }
        expect(JSON.stringify(strict)).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: 3000 },
    );
  });

  test('a member that stands twice is refused wherever it stands', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary', minLength: 1 }), json.filter(safe), { minKeys: 1, maxKeys: 5 }), fc.nat(), (object, pick) => {
        const names = Object.keys(object);
        const name = names[pick % names.length]!;
        const text = canonicalJson(object);
        expect(() => parseJson(`${text.slice(0, -1)},${JSON.stringify(name)}:0}`)).toThrow(expect.objectContaining({ code: 'JSON_DUPLICATE_KEY' }));
      }),
    );
  });
});

describe('encodings', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });

  test('read what they write', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(Buffer.from(fromBase64(toBase64(value)))).toEqual(Buffer.from(value));
        expect(Buffer.from(fromBase64Url(toBase64Url(value)))).toEqual(Buffer.from(value));
        expect(Buffer.from(fromHex(toHex(value)))).toEqual(Buffer.from(value));
      }),
    );
  });

  test('have one text for each content: any other character anywhere is refused or means something else', () => {
    fc.assert(
      fc.property(bytes.filter((value) => value.length > 0), fc.nat(), fc.integer({ min: 0, max: 255 }), (value, position, code) => {
        for (const [write, read] of [[toBase64, fromBase64], [toBase64Url, fromBase64Url], [toHex, fromHex]] as const) {
          const text = write(value);
          const at = position % text.length;
          const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
          if (changed === text) continue;
          let back: Uint8Array;
          try {
            back = read(changed);
          } catch (error) {
            expect(isStepsealError(error)).toBe(true);
            continue;
          }
          expect(write(back)).toBe(changed);
          expect(Buffer.from(back)).not.toEqual(Buffer.from(value));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
