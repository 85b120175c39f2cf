import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { SigningConfig, TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial } from '@sigstore/verify';
import { describe, expect, test } from 'vitest';
import { encodeSigningConfig, parseSigningConfig } from '../../../src/envelope/signingConfig.ts';
import { encodeTrustedRoot, parseTrustedRoot } from '../../../src/envelope/trustedRoot.ts';
import { isWithin } from '../../../src/envelope/validity.ts';
import { jwkThumbprint } from '../../../src/spiffe/jwk.ts';
import { jwks, oidcDiscovery } from '../../../src/trust/oidc.ts';
import { signingConfig } from '../../../src/trust/signingConfig.ts';
import { type TrustInput, trustedRoot } from '../../../src/trust/trustedRoot.ts';
import { issuingCa, selfSigned, stampingLeaf } from './certificates.ts';

// the tests reach into JSON of which they know the shape
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any;

const code = (name: string) => expect.objectContaining({ code: name });
const START = Date.UTC(2026, 0, 1);
const END = Date.UTC(2027, 0, 1);
const spkiOf = (pair: { publicKey: { export(options: { format: 'der'; type: 'spki' }): Buffer } }) => new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }));

const root = selfSigned('Signing root');
const ca = issuingCa('Signing CA', root);
const stamper = stampingLeaf('TSA', root);
const logKey = spkiOf(generateKeyPairSync('ed25519'));
const ctKey = spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const input: TrustInput = {
  trustDomain: 'example.org',
  signing: [{ uri: 'https://example.org', certificates: [ca.der, root.der], validFor: { start: START } }],
  timestamping: [{ uri: 'https://example.org/tsa', certificates: [stamper.der, root.der], validFor: { start: START, end: END } }],
  tlogs: [{ origin: 'log-0a1b2c3d.example.org', spki: logKey, validFor: { start: START } }],
  ctlogs: [{ origin: 'ct-0a1b2c3d.example.org', spki: ctKey, validFor: { start: START, end: END } }],
};
const jsonOf = (): Loose => JSON.parse(Buffer.from(encodeTrustedRoot(trustedRoot(input))).toString());
const bytesOf = (json: Loose): Uint8Array => Buffer.from(JSON.stringify(json));

describe('trusted_root.json', () => {
  test('reads what it writes', () => {
    const bytes = encodeTrustedRoot(trustedRoot(input));
    expect(Buffer.from(encodeTrustedRoot(parseTrustedRoot(bytes)))).toEqual(Buffer.from(bytes));
  });

  test('names the log by its whole key ID and its origin, and the CT log by RFC 6962', () => {
    const json = jsonOf();
    const [tlog] = json.tlogs;
    expect(tlog).toMatchObject({ baseUrl: 'https://log-0a1b2c3d.example.org', hashAlgorithm: 'SHA2_256', publicKey: { keyDetails: 'PKIX_ED25519', validFor: { start: '2026-01-01T00:00:00Z' } } });
    expect(new URL(tlog.baseUrl).hostname).toBe(input.tlogs[0]!.origin);
    const keyId = createHash('sha256').update('log-0a1b2c3d.example.org\n').update(Uint8Array.of(1)).update(logKey.subarray(-32)).digest('base64');
    expect(tlog.logId.keyId).toBe(keyId);
    expect(json.ctlogs[0]).toMatchObject({ logId: { keyId: createHash('sha256').update(ctKey).digest('base64') }, publicKey: { keyDetails: 'PKIX_ECDSA_P256_SHA_256' } });
    // older readers refuse members that came later
    expect(Object.keys(tlog).sort()).toEqual(['baseUrl', 'hashAlgorithm', 'logId', 'publicKey']);
  });

  test('is trust material for sigstore-js', () => {
    const theirs = toTrustMaterial(TrustedRoot.fromJSON(jsonOf()));
    expect(theirs.certificateAuthorities[0]!.certChain).toHaveLength(2);
    expect(theirs.timestampAuthorities[0]!.validFor.end).toEqual(new Date(END));
    expect(theirs.tlogs[0]!.publicKey.asymmetricKeyType).toBe('ed25519');
    expect(theirs.ctlogs[0]!.publicKey.asymmetricKeyType).toBe('ec');
  });

  test.each<[string, string, Partial<TrustInput>]>([
    ['an origin that is a URL', 'TRUSTED_ROOT_INVALID', { tlogs: [{ ...input.tlogs[0]!, origin: 'https://log.example.org' }] }],
    ['an origin with a path', 'TRUSTED_ROOT_INVALID', { tlogs: [{ ...input.tlogs[0]!, origin: 'example.org/log' }] }],
    ['an origin that reads as a Rekor v1 log', 'TRUSTED_ROOT_INVALID', { tlogs: [{ ...input.tlogs[0]!, origin: 'log.example.org - 123' }] }],
    ['an upper-case origin', 'TRUSTED_ROOT_INVALID', { tlogs: [{ ...input.tlogs[0]!, origin: 'Log.example.org' }] }],
    ['one origin for two logs', 'TRUSTED_ROOT_INVALID', { ctlogs: [{ ...input.ctlogs[0]!, origin: input.tlogs[0]!.origin }] }],
    ['a chain with the root first', 'TRUSTED_ROOT_INVALID', { signing: [{ ...input.signing[0]!, certificates: [root.der, ca.der] }] }],
    ['a chain without its root', 'TRUSTED_ROOT_INVALID', { signing: [{ ...input.signing[0]!, certificates: [ca.der] }] }],
    ['an empty chain', 'TRUSTED_ROOT_INVALID', { signing: [{ ...input.signing[0]!, certificates: [] }] }],
    ['a stamping leaf as issuing CA', 'TRUSTED_ROOT_INVALID', { signing: [input.timestamping[0]!] }],
    ['an issuing CA as stamping leaf', 'TRUSTED_ROOT_INVALID', { timestamping: [input.signing[0]!] }],
    ['bytes that are no certificate', 'DER_INVALID', { signing: [{ ...input.signing[0]!, certificates: [Uint8Array.of(1)] }] }],
  ])('is not made with %s', (_, expected, change) => {
    expect(() => trustedRoot({ ...input, ...change })).toThrow(code(expected));
  });

  test.each<[string, string, (json: Loose) => void]>([
    ['another media type', 'TRUSTED_ROOT_INVALID', (json) => (json.mediaType = 'application/vnd.dev.sigstore.trustedroot.v0.2+json')],
    ['an unknown member', 'TRUSTED_ROOT_INVALID', (json) => (json.extra = [])],
    ['an unknown member of a log', 'TRUSTED_ROOT_INVALID', (json) => (json.tlogs[0].extra = 1)],
    ['another hash', 'TRUSTED_ROOT_INVALID', (json) => (json.tlogs[0].hashAlgorithm = 'SHA2_512')],
    ['a log without validity', 'TRUSTED_ROOT_INVALID', (json) => delete json.tlogs[0].publicKey.validFor],
    ['a log without start', 'TRUSTED_ROOT_INVALID', (json) => delete json.tlogs[0].publicKey.validFor.start],
    ['a short key ID', 'TRUSTED_ROOT_INVALID', (json) => (json.tlogs[0].logId.keyId = 'AAAAAA==')],
    ['an end before the start', 'TRUSTED_ROOT_INVALID', (json) => (json.ctlogs[0].publicKey.validFor.end = '2025-01-01T00:00:00Z')],
    ['a day that does not exist', 'TIME_INVALID', (json) => (json.ctlogs[0].publicKey.validFor.end = '2026-02-30T00:00:00Z')],
    ['an empty chain', 'TRUSTED_ROOT_INVALID', (json) => (json.certificateAuthorities[0].certChain.certificates = [])],
    ['a certificate in URL-safe base64', 'BASE64_NONCANONICAL', (json) => (json.certificateAuthorities[0].certChain.certificates[0].rawBytes = '-_-_')],
  ])('is refused with %s', (_, expected, change) => {
    const json = jsonOf();
    change(json);
    expect(() => parseTrustedRoot(bytesOf(json))).toThrow(code(expected));
  });

  test('takes what other writers add: the newer name of the key ID, an operator, fractions of seconds', () => {
    const json = jsonOf();
    json.tlogs[0].checkpointKeyId = { keyId: Buffer.alloc(32, 7).toString('base64') };
    json.tlogs[0].operator = 'someone';
    json.tlogs[0].publicKey.validFor.start = '2026-01-01T00:00:00.250Z';
    expect(parseTrustedRoot(bytesOf(json)).tlogs[0]).toMatchObject({ logId: Buffer.alloc(32, 7), operator: 'someone', validFor: { start: START + 250 } });
  });

  test('intervals are closed', () => {
    expect([START - 1, START, END, END + 1].map((time) => isWithin({ start: START, end: END }, time))).toEqual([false, true, true, false]);
    expect(isWithin({ start: START }, Number.MAX_SAFE_INTEGER)).toBe(true);
  });
});

describe('signing_config.json', () => {
  const config = signingConfig({ operator: 'example.org', http: 'http://localhost:7980', issuer: 'https://example.org', start: START });
  const json = (): Loose => JSON.parse(Buffer.from(encodeSigningConfig(config)).toString());

  test('reads what it writes', () => {
    expect(parseSigningConfig(encodeSigningConfig(config))).toEqual(config);
  });

  test('carries the reachable addresses and the generations that clients understand', () => {
    const service = (url: string, majorApiVersion: number) => [{ url, majorApiVersion, validFor: { start: '2026-01-01T00:00:00Z' }, operator: 'example.org' }];
    expect(json()).toEqual({
      mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
      caUrls: service('http://localhost:7980', 1),
      oidcUrls: service('https://example.org', 1),
      rekorTlogUrls: service('http://localhost:7980', 2),
      rekorTlogConfig: { selector: 'ANY' },
      tsaUrls: service('http://localhost:7980/api/v1/timestamp', 1),
      tsaConfig: { selector: 'ANY' },
    });
    expect(SigningConfig.toJSON(SigningConfig.fromJSON(json()))).toMatchObject({ rekorTlogUrls: [{ majorApiVersion: 2 }], tsaConfig: { selector: 'ANY' } });
  });

  test.each<[string, (value: Loose) => void]>([
    ['version 0.1', (value) => (value.mediaType = 'application/vnd.dev.sigstore.signingconfig.v0.1+json')],
    ['an unknown member', (value) => (value.extra = 1)],
    ['an unknown selector', (value) => (value.tsaConfig.selector = 'SOME')],
    ['EXACT without a count', (value) => (value.tsaConfig.selector = 'EXACT')],
    ['a version in text', (value) => (value.caUrls[0].majorApiVersion = '1')],
    ['version 0', (value) => (value.caUrls[0].majorApiVersion = 0)],
    ['another scheme', (value) => (value.caUrls[0].url = 'file:///etc/passwd')],
  ])('is refused with %s', (_, change) => {
    const value = json();
    change(value);
    expect(() => parseSigningConfig(bytesOf(value))).toThrow(code('SIGNING_CONFIG_INVALID'));
  });
});

describe('OIDC', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const authority = { kid: jwkThumbprint(spkiOf(pair)), spki: spkiOf(pair) };

  test('discovery names the issuer as it was configured, and the algorithms of the keys', () => {
    expect(JSON.parse(Buffer.from(oidcDiscovery({ issuer: 'https://example.org', jwksUri: 'https://example.org/keys', keys: [authority] })).toString())).toEqual({
      issuer: 'https://example.org',
      jwks_uri: 'https://example.org/keys',
      authorization_endpoint: '',
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    });
  });

  test('the key set verifies what the key signs', () => {
    const { keys } = JSON.parse(Buffer.from(jwks([authority])).toString());
    expect(keys).toEqual([{ kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String), kid: authority.kid, alg: 'ES256', use: 'sig' }]);
    const data = Buffer.from('data');
    expect(verify('sha256', data, createPublicKey({ key: keys[0], format: 'jwk' }), sign('sha256', data, pair.privateKey))).toBe(true);
  });
});
