import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../../src/base/json.ts';
import { encodeHashedRekord, type HashedRekord, parseHashedRekord, parseHashedRekordRequest } from '../../../src/envelope/hashedRekord.ts';
import { keyDetailsOf } from '../../../src/envelope/keyDetails.ts';
import { filler } from './sample.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const entry: HashedRekord = { digest: filler('d', 32), signature: filler('s', 71), certificate: filler('c', 800), keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const plain = ({ digest, signature, certificate, keyDetails }: HashedRekord) => ({ digest: b64(digest), signature: b64(signature), certificate: b64(certificate), keyDetails });

describe('log entries', () => {
  test('are the RFC 8785 form of the Rekor v2 entry', () => {
    expect(Buffer.from(encodeHashedRekord(entry)).toString()).toBe(
      canonicalJson({
        kind: 'hashedrekord',
        apiVersion: '0.0.2',
        spec: {
          hashedRekordV002: {
            data: { digest: b64(entry.digest), algorithm: 'SHA2_256' },
            signature: { content: b64(entry.signature), verifier: { x509Certificate: { rawBytes: b64(entry.certificate) }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' } },
          },
        },
      }),
    );
  });

  test.each([
    ['PKIX_ECDSA_P256_SHA_256', 32],
    ['PKIX_ECDSA_P384_SHA_384', 48],
    ['PKIX_ECDSA_P521_SHA_512', 64],
    ['PKIX_ED25519_PH', 64],
    ['PKIX_RSA_PKCS1V15_2048_SHA256', 32],
    ['PKIX_RSA_PKCS1V15_4096_SHA256', 32],
  ] as const)('of %s read as they were written', (keyDetails, length) => {
    const made = { ...entry, keyDetails, digest: filler('d', length) };
    expect(plain(parseHashedRekord(encodeHashedRekord(made)))).toEqual(plain(made));
  });

  const text = Buffer.from(encodeHashedRekord(entry)).toString();
  test.each<[string, string, string]>([
    ['a blank', 'TLOG_PARSE', text.replace(':', ': ')],
    ['a newline at the end', 'TLOG_PARSE', `${text}\n`],
    ['an escape that means the same', 'TLOG_PARSE', text.replace('hashedrekord', '\\u0068ashedrekord')],
    ['another order', 'TLOG_PARSE', text.replace('{"apiVersion":"0.0.2","kind":"hashedrekord",', '{"kind":"hashedrekord","apiVersion":"0.0.2",')],
    ['another kind', 'TLOG_PARSE', text.replace('"hashedrekord"', '"dsse"')],
    ['another version', 'TLOG_PARSE', text.replace('0.0.2', '0.0.1')],
    ['a further member', 'TLOG_PARSE', text.replace('{"data":', '{"a":1,"data":')],
    ['a further member of the verifier', 'TLOG_PARSE', text.replace('"x509Certificate"', '"publicKey":{"rawBytes":"AAAA"},"x509Certificate"')],
    ['a hash that does not go with the key', 'TLOG_PARSE', text.replace('SHA2_256', 'SHA2_384')],
    ['an unknown kind of key', 'TLOG_PARSE', text.replace('PKIX_ECDSA_P256_SHA_256', 'PKIX_ED25519')],
    ['a digest of another length', 'TLOG_PARSE', text.replace(b64(entry.digest), b64(filler('d', 31)))],
    ['base64 without padding', 'BASE64_NONCANONICAL', text.replace(b64(entry.digest), b64(entry.digest).replaceAll('=', ''))],
    ['a name twice', 'JSON_DUPLICATE_KEY', text.replace('{"apiVersion":', '{"apiVersion":"0.0.2","apiVersion":')],
    ['nothing', 'JSON_INVALID', ''],
  ])('are refused with %s', (_, expected, changed) => {
    expect(() => parseHashedRekord(Buffer.from(changed))).toThrow(code(expected));
  });
});

describe('requests', () => {
  const request = (change: Record<string, unknown> = {}, signature: Record<string, unknown> = {}, verifier: Record<string, unknown> = {}) => ({
    hashedRekordRequestV002: {
      digest: b64(entry.digest),
      signature: { content: b64(entry.signature), verifier: { keyDetails: entry.keyDetails, x509Certificate: { rawBytes: b64(entry.certificate) }, ...verifier }, ...signature },
      ...change,
    },
  });
  const bytes = (json: unknown) => Buffer.from(JSON.stringify(json));

  test('are read from bytes and from JSON', () => {
    expect(plain(parseHashedRekordRequest(bytes(request())))).toEqual(plain(entry));
    expect(plain(parseHashedRekordRequest(JSON.parse(JSON.stringify(request()))))).toEqual(plain(entry));
  });

  test.each<[string, string, unknown]>([
    ['the removed DSSE type', 'LOG_REQUEST_INVALID', { dsseRequestV002: {} }],
    ['nothing', 'LOG_REQUEST_INVALID', {}],
    ['a list', 'LOG_REQUEST_INVALID', []],
    ['a bare key', 'LOG_REQUEST_INVALID', request({}, {}, { x509Certificate: undefined, publicKey: { rawBytes: 'AAAA' } })],
    ['a key beside the certificate', 'LOG_REQUEST_INVALID', request({}, {}, { publicKey: { rawBytes: 'AAAA' } })],
    ['no kind of key', 'LOG_REQUEST_INVALID', request({}, {}, { keyDetails: undefined })],
    ['the kind of key by number', 'LOG_REQUEST_INVALID', request({}, {}, { keyDetails: 5 })],
    ['pure Ed25519', 'LOG_REQUEST_INVALID', request({}, {}, { keyDetails: 'PKIX_ED25519' })],
    ['no signature', 'LOG_REQUEST_INVALID', request({}, { content: undefined })],
    ['an empty signature', 'LOG_REQUEST_INVALID', request({}, { content: '' })],
    ['a digest that does not go with the key', 'LOG_REQUEST_INVALID', request({ digest: b64(filler('d', 48)) })],
    ['no digest', 'LOG_REQUEST_INVALID', request({ digest: undefined })],
    ['a further member', 'LOG_REQUEST_INVALID', request({ note: 1 })],
    ['a huge certificate', 'LOG_REQUEST_INVALID', request({}, {}, { x509Certificate: { rawBytes: b64(filler('c', 33_000)) } })],
    ['base64 of the URL alphabet', 'BASE64_NONCANONICAL', request({ digest: `${'_'.repeat(43)}=` })],
    ['more than 128 KiB', 'JSON_LIMIT', request({ note: 'a'.repeat(140_000) })],
  ])('are refused with %s', (_, expected, json) => {
    expect(() => parseHashedRekordRequest(bytes(json))).toThrow(code(expected));
  });
});

describe('keyDetailsOf', () => {
  const spki = (make: { publicKey: { export(options: { format: 'der'; type: 'spki' }): Buffer } }) => make.publicKey.export({ format: 'der', type: 'spki' });
  test('names the kinds of keys as Sigstore does', () => {
    expect(keyDetailsOf(spki(generateKeyPairSync('ec', { namedCurve: 'P-256' })))).toBe('PKIX_ECDSA_P256_SHA_256');
    expect(keyDetailsOf(spki(generateKeyPairSync('ec', { namedCurve: 'P-384' })))).toBe('PKIX_ECDSA_P384_SHA_384');
    expect(keyDetailsOf(spki(generateKeyPairSync('ec', { namedCurve: 'P-521' })))).toBe('PKIX_ECDSA_P521_SHA_512');
    expect(keyDetailsOf(spki(generateKeyPairSync('ed25519')))).toBe('PKIX_ED25519_PH');
    expect(keyDetailsOf(spki(generateKeyPairSync('rsa', { modulusLength: 2048 })))).toBe('PKIX_RSA_PKCS1V15_2048_SHA256');
  });

  test('refuses an RSA size that has no name', () => {
    expect(() => keyDetailsOf(spki(generateKeyPairSync('rsa', { modulusLength: 2304 })))).toThrow(code('ALG_NOT_ALLOWED'));
  });
});
