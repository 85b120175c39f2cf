import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { toBase64 } from '../../../src/base/base64.ts';
import { encodeSpiffeBundle, parseSpiffeBundle } from '../../../src/spiffe/bundleDocument.ts';
import { jwkOf, jwkThumbprint, spkiOfJwk } from '../../../src/spiffe/jwk.ts';
import { selfSigned } from '../trust/certificates.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const root = selfSigned('Identity root');
const other = selfSigned('Another root');
const jwtKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = new Uint8Array(jwtKey.publicKey.export({ format: 'der', type: 'spki' }));
const authority = { kid: jwkThumbprint(spki), spki };
const full = { x509Authorities: [root.der, other.der], jwtAuthorities: [authority], sequence: 7, refreshHint: 300 };
const document = (change: (json: { keys: Record<string, unknown>[] } & Record<string, unknown>) => void) => {
  const json = JSON.parse(Buffer.from(encodeSpiffeBundle(full)).toString());
  change(json);
  return Buffer.from(JSON.stringify(json));
};

describe('SPIFFE bundle documents', () => {
  test('read what they write', () => {
    const parsed = parseSpiffeBundle(encodeSpiffeBundle(full), 'example.org');
    expect(parsed).toEqual({ trustDomain: 'example.org', ...full, x509Authorities: full.x509Authorities.map(Buffer.from), jwtAuthorities: [{ kid: authority.kid, spki: Buffer.from(spki) }] });
  });

  test('carry one certificate and no kid for X.509, a kid and no certificate for JWT', () => {
    const { keys, ...top } = JSON.parse(Buffer.from(encodeSpiffeBundle(full)).toString());
    expect(top).toEqual({ spiffe_sequence: 7, spiffe_refresh_hint: 300 });
    expect(keys.map((key: object) => Object.keys(key))).toEqual([
      ['crv', 'kty', 'use', 'x', 'x5c', 'y'],
      ['crv', 'kty', 'use', 'x', 'x5c', 'y'],
      ['crv', 'kid', 'kty', 'use', 'x', 'y'],
    ]);
    expect(keys[0]).toMatchObject({ use: 'x509-svid', x5c: [toBase64(root.der)] });
    expect(keys[2]).toMatchObject({ use: 'jwt-svid', kid: authority.kid });
  });

  test('may revoke everything', () => {
    expect(parseSpiffeBundle(Buffer.from('{"keys":[]}'), 'example.org')).toEqual({ trustDomain: 'example.org', x509Authorities: [], jwtAuthorities: [] });
  });

  test.each<[string, (json: { keys: Record<string, unknown>[] }) => void, number]>([
    ['an unknown use', ({ keys }) => (keys[0]!['use'] = 'wit-svid'), 1],
    ['an unknown key type', ({ keys }) => (keys[0]!['kty'] = 'OKP'), 1],
    ['no certificate', ({ keys }) => delete keys[0]!['x5c'], 1],
    ['an empty list of certificates', ({ keys }) => (keys[0]!['x5c'] = []), 1],
    ['a second certificate', ({ keys }) => (keys[0]!['x5c'] as string[]).push('what follows is ignored'), 2],
  ])('leave out keys as the standard says: %s', (_, change, left) => {
    expect(parseSpiffeBundle(document(change), 'example.org').x509Authorities).toHaveLength(left);
  });

  test.each<[string, string, (json: { keys: Record<string, unknown>[] } & Record<string, unknown>) => void]>([
    ['no keys', 'SPIFFE_BUNDLE_INVALID', (json) => delete (json as Record<string, unknown>)['keys']],
    ['keys that are null', 'SPIFFE_BUNDLE_INVALID', (json) => ((json as Record<string, unknown>)['keys'] = null)],
    ['a key without use', 'SPIFFE_BUNDLE_INVALID', ({ keys }) => delete keys[0]!['use']],
    ['a certificate of another key', 'SPIFFE_BUNDLE_INVALID', ({ keys }) => (keys[0]!['x5c'] = keys[1]!['x5c'])],
    ['a certificate that is none', 'SPIFFE_BUNDLE_INVALID', ({ keys }) => (keys[0]!['x5c'] = ['AAAA'])],
    ['a certificate in PEM', 'BASE64_NONCANONICAL', ({ keys }) => (keys[0]!['x5c'] = [`${toBase64(root.der)}\n`])],
    ['a JWT key without kid', 'SPIFFE_BUNDLE_INVALID', ({ keys }) => delete keys[2]!['kid']],
    ['a kid that is taken', 'SPIFFE_BUNDLE_INVALID', ({ keys }) => keys.push({ ...keys[2] })],
    ['a private member', 'JWK_INVALID', ({ keys }) => (keys[2]!['d'] = 'AAAA')],
    ['a point that is not on the curve', 'JWK_INVALID', ({ keys }) => (keys[2]!['x'] = 'A'.repeat(43))],
    ['a coordinate in another spelling', 'JWK_INVALID', ({ keys }) => (keys[2]!['x'] = `${String(keys[2]!['x'])}=`)],
    ['a negative sequence', 'SPIFFE_BUNDLE_INVALID', (json) => (json['spiffe_sequence'] = -1)],
    ['a hint in text', 'SPIFFE_BUNDLE_INVALID', (json) => (json['spiffe_refresh_hint'] = '300')],
  ])('refuse %s', (_, expected, change) => {
    expect(() => parseSpiffeBundle(document(change), 'example.org')).toThrow(code(expected));
  });
});

describe('JSON Web Keys', () => {
  test('the thumbprint is that of RFC 7638 section 3.1', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_' +
      'FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
    const rsa = spkiOfJwk({ kty: 'RSA', n, e: 'AQAB' }, 'key');
    expect(jwkOf(rsa)).toEqual({ kty: 'RSA', n, e: 'AQAB' });
    expect(jwkThumbprint(rsa)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });

  test('RSA below 2048 bits is refused', () => {
    const { n, e } = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
    expect(() => spkiOfJwk({ kty: 'RSA', n: n!, e: e! }, 'key')).toThrow(code('ALG_NOT_ALLOWED'));
  });

  test('Ed25519 is none that JWT-SVIDs can use', () => {
    const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' });
    expect(() => jwkOf(ed25519)).toThrow(code('JWK_INVALID'));
  });
});
