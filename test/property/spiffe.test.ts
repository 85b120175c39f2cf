import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isStepsealError } from '../../src/base/errors.ts';
import { parseSpiffeId, spiffeId } from '../../src/spiffe/id.ts';
import { matchIdentity, parseIdentityPattern } from '../../src/spiffe/pattern.ts';

const accepts = (text: string): boolean => {
  try {
    return parseSpiffeId(text).uri === text;
  } catch (error) {
    if (!isStepsealError(error) || error.code !== 'SPIFFE_ID_INVALID') throw error;
    return false;
  }
};

const byte = (code: number): string => String.fromCharCode(code);
const isDomain = (char: string): boolean => /[a-z0-9._-]/.test(char);
const isSegment = (char: string): boolean => /[A-Za-z0-9._-]/.test(char);

describe('SPIFFE IDs: every byte in each position', () => {
  const id = 'spiffe://ab.c/de/fg';

  test('in place of a character', () => {
    for (let at = 0; at < id.length; at++) {
      for (let code = 0; code < 256; code++) {
        const text = id.slice(0, at) + byte(code) + id.slice(at + 1);
        // the scheme and its slashes are fixed; the trust domain and the segments have their alphabets; a slash splits
        const splits = code === 0x2f && at > 9 && id[at - 1] !== '/' && id[at + 1] !== '/' && at < id.length - 1;
        const expected = text === id || (at >= 9 && at <= 13 ? isDomain(byte(code)) || splits : at > 13 && (isSegment(byte(code)) || splits));
        expect([text, accepts(text)]).toEqual([text, expected]);
      }
    }
  });

  test('put in between', () => {
    for (let at = 0; at <= id.length; at++) {
      for (let code = 0; code < 256; code++) {
        const text = id.slice(0, at) + byte(code) + id.slice(at);
        const splits = code === 0x2f && at > 9 && at < id.length && id[at - 1] !== '/' && id[at] !== '/';
        const expected = at >= 9 && (at <= 13 ? isDomain(byte(code)) || splits : isSegment(byte(code)) || splits);
        expect([text, accepts(text)]).toEqual([text, expected]);
      }
    }
  });

  test('alone as a segment, and beside dots', () => {
    for (let code = 0; code < 256; code++) {
      const char = byte(code);
      expect([code, accepts(`spiffe://a/${char}`)]).toEqual([code, isSegment(char) && char !== '.']);
      expect([code, accepts(`spiffe://a/.${char}/b`)]).toEqual([code, isSegment(char) && char !== '.']);
      expect([code, accepts(`spiffe://a/..${char}`)]).toEqual([code, isSegment(char)]);
      expect([code, accepts(`spiffe://${char}/a`)]).toEqual([code, isDomain(char)]);
    }
  });
});

const domain = fc.stringMatching(/^[a-z0-9._-]{1,40}$/);
const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/).filter((text) => text !== '.' && text !== '..');
const segments = fc.array(segment, { maxLength: 8 });

describe('SPIFFE IDs', () => {
  test('read back as they were put together', () => {
    fc.assert(
      fc.property(domain, segments, (trustDomain, parts) => {
        const id = spiffeId(trustDomain, ...parts);
        expect(parseSpiffeId(id.uri)).toEqual(id);
        expect(id).toMatchObject({ trustDomain, segments: parts });
      }),
    );
  });

  test('of any text, never another error and never another spelling', () => {
    const text = fc.array(fc.oneof(fc.constantFrom(0x2e, 0x2f, 0x61), fc.integer({ min: 0, max: 0x24f })), { maxLength: 12 }).map((codes) => String.fromCharCode(...codes));
    fc.assert(fc.property(fc.constantFrom('', 'spiffe://', 'spiffe://a/'), text, (start, rest) => void accepts(start + rest)), { numRuns: 2000 });
  });
});

describe('identity patterns', () => {
  test('an ID matches itself, its wildcards, and nothing longer or shorter', () => {
    fc.assert(
      fc.property(domain, fc.array(segment, { minLength: 1, maxLength: 8 }), fc.nat(), (trustDomain, parts, pick) => {
        const id = spiffeId(trustDomain, ...parts);
        const at = pick % parts.length;
        const replaced = (text: string) => parseIdentityPattern(`spiffe://${[trustDomain, ...parts.with(at, text)].join('/')}`);
        expect(matchIdentity(parseIdentityPattern(id.uri), id).matched).toBe(true);
        expect(matchIdentity(replaced('*'), id).matched).toBe(true);
        expect(matchIdentity(replaced('{it}'), id).captures).toEqual({ it: parts[at] });
        expect(matchIdentity(parseIdentityPattern(`spiffe://${[trustDomain, ...parts.slice(0, at), '**'].join('/')}`), id).matched).toBe(true);
        expect(matchIdentity(parseIdentityPattern(id.uri), spiffeId(trustDomain, ...parts, 'x')).matched).toBe(false);
        expect(matchIdentity(parseIdentityPattern(id.uri), spiffeId(trustDomain, ...parts.slice(1))).matched).toBe(false);
        expect(matchIdentity(parseIdentityPattern(id.uri), spiffeId(`${trustDomain}x`, ...parts)).matched).toBe(false);
      }),
    );
  });
});
