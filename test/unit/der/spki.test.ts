import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { keyIdentifier, parseSpki } from '../../../src/der/spki.ts';
import { signatureAlgorithmOf } from '../../../src/der/algorithm.ts';
import { flip, spkiOf, testKey } from '../../fakes/pki.ts';

const code = (name: string) => expect.objectContaining({ code: name });

describe('public keys', () => {
  test.each([
    ['ecdsa-p256-sha256', 'ecdsa-p256', 65],
    ['ecdsa-p384-sha384', 'ecdsa-p384', 97],
    ['ecdsa-p521-sha512', 'ecdsa-p521', 133],
    ['ed25519', 'ed25519', 32],
  ] as const)('a key for %s is read as %s', (signature, algorithm, length) => {
    const spki = parseSpki(testKey(signature).spki);
    expect(spki.algorithm).toBe(algorithm);
    expect(spki.key).toHaveLength(length);
    expect(signatureAlgorithmOf(spki.algorithm)).toBe(signature);
  });

  test('an RSA key is read with its modulus length', () => {
    expect(parseSpki(testKey('rsa-pkcs1-sha256').spki)).toMatchObject({ algorithm: 'rsa', rsaBits: 2048 });
  });

  test.each([
    ['P-224', generateKeyPairSync('ec', { namedCurve: 'secp224r1' })],
    ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['explicit curve parameters', generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' })],
    ['RSA of 1024 bits', generateKeyPairSync('rsa', { modulusLength: 1024 })],
    ['RSA-PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
    ['Ed448', generateKeyPairSync('ed448')],
    ['X25519', generateKeyPairSync('x25519')],
  ])('%s is not allowed', (_, { publicKey }) => {
    expect(() => parseSpki(spkiOf(publicKey))).toThrow(code('ALG_NOT_ALLOWED'));
  });

  test('a compressed point is refused', () => {
    const { spki } = testKey();
    const at = spki.length - 65;
    expect(() => parseSpki(flip(spki, at, 1))).toThrow(code('DER_INVALID'));
  });

  test('the key identifier is the SHA-1 of the key bits', () => {
    const { spki } = testKey();
    expect(Uint8Array.from(keyIdentifier(spki))).toEqual(Uint8Array.from(createHash('sha1').update(spki.subarray(-65)).digest()));
  });
});
