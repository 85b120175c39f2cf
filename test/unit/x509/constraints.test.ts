import { describe, expect, test } from 'vitest';
import { encode, explicit, implicit, sequence } from '../../../src/der/write.ts';
import { assertNamesPermitted } from '../../../src/x509/constraints.ts';
import { extension, subjectAltName } from '../../../src/x509/extensions.ts';
import { distinguishedName } from '../../../src/x509/names.ts';
import { EXTENSION } from '../../../src/x509/oids.ts';
import { authority, leaf } from '../../fakes/pki.ts';

const REFUSED = expect.objectContaining({ code: 'NAME_CONSTRAINT' });
const below = (...uris: string[]) => leaf({ uris }).certificate;
const limited = (permitted?: string[], excluded?: string[]) => authority({ ...(permitted && { permitted }), ...(excluded && { excluded }) }).certificate;

describe('URI name constraints', () => {
  test.each([
    ['example.org', 'spiffe://example.org/a'],
    ['example.org', 'spiffe://example.org'],
    ['example.org', 'https://user@EXAMPLE.org:8443/a?b#c'],
    ['EXAMPLE.ORG', 'spiffe://example.org/a'],
    ['.example.org', 'spiffe://a.example.org/x'],
    ['.example.org', 'spiffe://a.b.example.org/x'],
  ])('%s permits %s', (constraint, uri) => {
    assertNamesPermitted(limited([constraint]), below(uri));
  });

  test.each([
    ['example.org', 'spiffe://a.example.org/x'],
    ['example.org', 'spiffe://example.org.evil/x'],
    ['example.org', 'spiffe://evilexample.org/x'],
    ['example.org', 'spiffe://example.org@evil.com/x'],
    ['example.org', 'spiffe://example.org\\@evil.com/x'],
    ['example.org', 'spiffe://example.org./x'],
    ['.example.org', 'spiffe://example.org/x'],
    ['.example.org', 'spiffe://.example.org/x'],
    ['.example.org', 'spiffe://notexample.org/x'],
    ['example.org', 'urn:example.org'],
    ['example.org', 'spiffe:///x'],
    ['example.org', 'example.org'],
    ['1.2.3.4', 'spiffe://1.2.3.4/x'],
    ['example.org', 'spiffe://1.2.3.4/x'],
    ['example.org', 'spiffe://[2001:db8::1]/x'],
    ['', 'spiffe://example.org/x'],
    ['.', 'spiffe://example.org/x'],
    ['*.org', 'spiffe://example.org/x'],
  ])('%s does not permit %s', (constraint, uri) => {
    expect(() => assertNamesPermitted(limited([constraint]), below(uri))).toThrow(REFUSED);
  });

  test('one of several permitted subtrees is enough, for every URI', () => {
    assertNamesPermitted(limited(['a.org', 'b.org']), below('spiffe://a.org/x', 'spiffe://b.org/x'));
    expect(() => assertNamesPermitted(limited(['a.org', 'b.org']), below('spiffe://a.org/x', 'spiffe://c.org/x'))).toThrow(REFUSED);
  });

  test('an excluded subtree wins over a permitted one, and alone permits the rest', () => {
    expect(() => assertNamesPermitted(limited(['.example.org'], ['bad.example.org']), below('spiffe://bad.example.org/x'))).toThrow(REFUSED);
    assertNamesPermitted(limited(['.example.org'], ['bad.example.org']), below('spiffe://good.example.org/x'));
    assertNamesPermitted(limited(undefined, ['bad.example.org']), below('spiffe://example.org/x'));
    expect(() => assertNamesPermitted(limited(undefined, ['.example.org']), below('spiffe://a.example.org/x'))).toThrow(REFUSED);
    expect(() => assertNamesPermitted(limited(undefined, ['']), below('spiffe://a.example.org/x'))).toThrow(REFUSED);
  });

  test('a certificate without URIs, or an authority without constraints, is not limited', () => {
    assertNamesPermitted(limited(['example.org']), leaf({ uris: [], dns: ['x.org'] }).certificate);
    assertNamesPermitted(authority({}).certificate, below('spiffe://any.org/x'));
  });
});

describe('constraints on other kinds of names', () => {
  const other = (base: Uint8Array) =>
    authority({ more: [extension(EXTENSION.nameConstraints, true, sequence(explicit(0, sequence(base))))] }).certificate;
  const dns = other(implicit(2, Buffer.from('example.org')));
  const email = other(implicit(1, Buffer.from('example.org')));
  const ip = other(implicit(7, new Uint8Array(8)));
  const directory = other(explicit(4, distinguishedName({ organization: 'x' })));
  const registered = other(implicit(8, Uint8Array.of(0x2a)));
  const withName = (name: Uint8Array) => leaf({ uris: [], more: [extension(EXTENSION.subjectAltName, true, sequence(name))] }).certificate;

  test('do not matter to a certificate that has no such name', () => {
    for (const issuer of [dns, email, ip, directory, registered]) assertNamesPermitted(issuer, below('spiffe://example.org/a'));
  });

  test.each([
    ['a DNS name', dns, leaf({ dns: ['example.org'] }).certificate],
    ['an e-mail address', email, withName(implicit(1, Buffer.from('a@example.org')))],
    ['a subject, which may hold an address', email, leaf({ name: 'a' }).certificate],
    ['an IP address', ip, withName(implicit(7, new Uint8Array(4)))],
    ['a subject', directory, leaf({ name: 'a' }).certificate],
    ['a directory name', directory, withName(explicit(4, distinguishedName({ organization: 'x' })))],
    ['a registered ID', registered, withName(implicit(8, Uint8Array.of(0x2a)))],
    ['another name', other(encode(0xa0, Uint8Array.of(6, 1, 0x2a), explicit(0, sequence()))), withName(encode(0xa0, Uint8Array.of(6, 1, 0x2a), explicit(0, sequence())))],
  ])('refuse a certificate with %s', (_, issuer, certificate) => {
    expect(() => assertNamesPermitted(issuer, certificate)).toThrow(REFUSED);
  });

  test('stand beside URI constraints without weakening them', () => {
    const mixed = authority({
      more: [extension(EXTENSION.nameConstraints, true, sequence(explicit(0, sequence(implicit(2, Buffer.from('x'))), sequence(implicit(6, Buffer.from('example.org'))))))],
    }).certificate;
    assertNamesPermitted(mixed, below('spiffe://example.org/a'));
    expect(() => assertNamesPermitted(mixed, below('spiffe://other.org/a'))).toThrow(REFUSED);
    expect(() => assertNamesPermitted(mixed, leaf({ uris: [], more: [subjectAltName({ uris: ['spiffe://example.org/a'], dns: ['x'] }, true)] }).certificate)).toThrow(REFUSED);
  });
});
