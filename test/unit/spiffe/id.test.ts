import { describe, expect, test } from 'vitest';
import { parseSpiffeId, spiffeId } from '../../../src/spiffe/id.ts';
import { assertConstrainable, parseTrustDomain } from '../../../src/spiffe/trustDomain.ts';

const code = (name: string) => expect.objectContaining({ code: name });

describe('parseSpiffeId', () => {
  test('takes the ID apart', () => {
    expect(parseSpiffeId('spiffe://example.org/ns/a-b/step/Build_1.x')).toEqual({
      trustDomain: 'example.org',
      path: '/ns/a-b/step/Build_1.x',
      segments: ['ns', 'a-b', 'step', 'Build_1.x'],
      uri: 'spiffe://example.org/ns/a-b/step/Build_1.x',
    });
    expect(parseSpiffeId('spiffe://example.org')).toMatchObject({ path: '', segments: [] });
  });

  test.each(['spiffe://a/...', 'spiffe://a/.hidden', 'spiffe://a/..a', 'spiffe://1.2.3.4/a', 'spiffe://a_b-c.d/e', 'spiffe://-/a', `spiffe://a/${'b'.repeat(2037)}`])('takes %.60s', (text) => {
    expect(parseSpiffeId(text).uri).toBe(text);
  });

  test.each([
    ['nothing', ''],
    ['another scheme', 'https://example.org/a'],
    ['an upper-case scheme', 'SPIFFE://example.org/a'],
    ['one slash', 'spiffe:/example.org/a'],
    ['no trust domain', 'spiffe:///a'],
    ['no trust domain and no path', 'spiffe://'],
    ['an upper-case trust domain', 'spiffe://Example.org/a'],
    ['a port', 'spiffe://example.org:443/a'],
    ['a user', 'spiffe://user@example.org/a'],
    ['an IPv6 address', 'spiffe://[::1]/a'],
    ['a back-slash that URL parsers fold', 'spiffe://prod.example.com\\@evil/a'],
    ['a tab that URL parsers remove', 'spiffe://prod.exa\tmple.com/a'],
    ['a blank in front', ' spiffe://example.org/a'],
    ['a newline at the end', 'spiffe://example.org/a\n'],
    ['a slash at the end', 'spiffe://example.org/a/'],
    ['a slash alone', 'spiffe://example.org/'],
    ['an empty segment', 'spiffe://example.org/a//b'],
    ['a segment .', 'spiffe://example.org/a/./b'],
    ['a segment ..', 'spiffe://example.org/a/../b'],
    ['a last segment ..', 'spiffe://example.org/..'],
    ['percent-encoding', 'spiffe://example.org/a%2Fb'],
    ['percent-encoding in the trust domain', 'spiffe://example%2eorg/a'],
    ['a query', 'spiffe://example.org/a?b'],
    ['a fragment', 'spiffe://example.org/a#b'],
    ['a comma, as in the text form of SANs', 'spiffe://example.org/a, URI:spiffe://example.org/b'],
    ['a letter beyond ASCII', 'spiffe://example.org/é'],
    ['a letter beyond ASCII in the trust domain', 'spiffe://exаmple.org/a'],
    ['a zero byte', 'spiffe://example.org/a\0'],
    ['2049 bytes', `spiffe://a/${'b'.repeat(2038)}`],
    ['a trust domain of 256 bytes', `spiffe://${'a'.repeat(256)}/b`],
    ['a pattern', 'spiffe://example.org/*'],
  ])('refuses %s', (_, text) => {
    expect(() => parseSpiffeId(text)).toThrow(code('SPIFFE_ID_INVALID'));
  });
});

describe('spiffeId', () => {
  test('puts segments together', () => {
    expect(spiffeId('example.org', 'ns', 'local').uri).toBe('spiffe://example.org/ns/local');
    expect(spiffeId('example.org').uri).toBe('spiffe://example.org');
  });

  test.each([['a/b'], ['..'], [''], ['a b'], ['a/../../stepseal']])('never lets the segment %j name another identity', (segment) => {
    expect(() => spiffeId('example.org', 'ns', segment)).toThrow(code('SPIFFE_ID_INVALID'));
  });

  test('refuses a trust domain that brings a path', () => {
    expect(() => spiffeId('example.org/ns', 'a')).toThrow(code('TRUST_DOMAIN_INVALID'));
  });
});

describe('trust domains', () => {
  test.each(['', 'Example.org', 'a/b', 'spiffe://a', 'a:1', 'a b', 'a'.repeat(256), 'a\n'])('%j is none', (text) => {
    expect(() => parseTrustDomain(text)).toThrow(code('TRUST_DOMAIN_INVALID'));
  });

  test.each(['example.org', 'a', 'prod-1.example.com', '1password.com', 'a'.repeat(63)])('%s can be a name constraint', (text) => {
    expect(() => assertConstrainable(parseTrustDomain(text))).not.toThrow();
  });

  test.each(['a_b.example', '1.2.3.4', '10', 'a..b', '.a', 'a.', '-a', 'a-', '-', `${'a'.repeat(64)}.org`, `${'a.'.repeat(126)}ab`])('%.70s cannot be a name constraint', (text) => {
    expect(() => assertConstrainable(parseTrustDomain(text))).toThrow(code('TRUST_DOMAIN_NOT_CONSTRAINABLE'));
  });
});
