import { describe, expect, test } from 'vitest';
import { parseSpiffeId } from '../../../src/spiffe/id.ts';
import { matchIdentity, parseIdentityPattern } from '../../../src/spiffe/pattern.ts';

const match = (pattern: string, id: string, bound?: Record<string, string>) => matchIdentity(parseIdentityPattern(pattern), parseSpiffeId(id), bound);

describe('identity patterns match', () => {
  test.each([
    ['spiffe://td/a/b', 'spiffe://td/a/b', {}],
    ['spiffe://td', 'spiffe://td', {}],
    ['spiffe://td/*/b', 'spiffe://td/x/b', {}],
    ['spiffe://td/ns/{ns}/task/{task}/step/*', 'spiffe://td/ns/prod/task/build/step/compile', { ns: 'prod', task: 'build' }],
    ['spiffe://td/{a}/{a}', 'spiffe://td/x/x', { a: 'x' }],
    ['spiffe://td/ns/**', 'spiffe://td/ns/a', {}],
    ['spiffe://td/ns/**', 'spiffe://td/ns/a/b/c', {}],
    ['spiffe://td/**', 'spiffe://td/a', {}],
    ['spiffe://td/{toString}', 'spiffe://td/a', { toString: 'a' }],
  ])('%s and %s', (pattern, id, captures) => {
    expect(match(pattern, id)).toEqual({ matched: true, captures, nearest: undefined });
  });
});

describe('identity patterns do not match', () => {
  test.each([
    ['spiffe://prod.example.com/a', 'spiffe://prod.example.com.evil/a', 'trust domain'],
    ['spiffe://prod.example.com/a', 'spiffe://prodxexample.com/a', 'trust domain'],
    ['spiffe://example.com/a', 'spiffe://prod.example.com/a', 'trust domain'],
    ['spiffe://td/**', 'spiffe://td', 'path segment 1: expected one or more segments, found the end'],
    ['spiffe://td/ns/**', 'spiffe://td/ns', 'path segment 2: expected one or more segments, found the end'],
    ['spiffe://td', 'spiffe://td/a', 'path segment 1: expected the end, found a'],
    ['spiffe://td/a', 'spiffe://td/a/b', 'path segment 2: expected the end, found b'],
    ['spiffe://td/a/b', 'spiffe://td/a', 'path segment 2: expected b, found the end'],
    ['spiffe://td/a/*', 'spiffe://td/a/b/c', 'path segment 3: expected the end, found c'],
    ['spiffe://td/a.b', 'spiffe://td/axb', 'path segment 1: expected a.b, found axb'],
    ['spiffe://td/A', 'spiffe://td/a', 'path segment 1: expected A, found a'],
    ['spiffe://td/{a}/{a}', 'spiffe://td/x/y', 'path segment 2: expected x, as {a} is, found y'],
    ['spiffe://td/{a}', 'spiffe://td', 'path segment 1: expected any segment as {a}, found the end'],
  ])('%s and %s: %s', (pattern, id, nearest) => {
    const result = match(pattern, id);
    expect(result).toMatchObject({ matched: false, captures: {} });
    expect(result.nearest).toContain(nearest);
  });

  test('another value than an earlier match bound', () => {
    expect(match('spiffe://td/{ns}', 'spiffe://td/a', { ns: 'a' }).matched).toBe(true);
    expect(match('spiffe://td/{ns}', 'spiffe://td/a', { ns: 'b' }).nearest).toBe('path segment 1: expected b, as {ns} is, found a');
  });
});

describe('what is no identity pattern', () => {
  test.each([
    ['a wildcard in the trust domain', 'spiffe://*.example.org/a'],
    ['a wildcard for the trust domain', 'spiffe://*/a'],
    ['no trust domain', 'spiffe:///a'],
    ['everything', '*'],
    ['a part of a segment', 'spiffe://td/build-*'],
    ['** inside', 'spiffe://td/**/a'],
    ['three stars', 'spiffe://td/***'],
    ['a regular expression', 'spiffe://td/.+'],
    ['an anchor', '^spiffe://td/a$'],
    ['a capture without a name', 'spiffe://td/{}'],
    ['a capture with a dash', 'spiffe://td/{a-b}'],
    ['an open capture', 'spiffe://td/{a'],
    ['two captures in a segment', 'spiffe://td/{a}{b}'],
    ['a slash at the end', 'spiffe://td/a/'],
    ['a segment ..', 'spiffe://td/../a'],
    ['percent-encoding', 'spiffe://td/%2a'],
    ['a newline at the end', 'spiffe://td/a\n'],
    ['another scheme', 'https://td/a'],
    ['too much', `spiffe://td/${'a'.repeat(2048)}`],
  ])('%s', (_, text) => {
    expect(() => parseIdentityPattern(text)).toThrow(expect.objectContaining({ code: 'IDENTITY_PATTERN_INVALID' }));
  });
});
