import { createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto';
import { importSPKI, jwtVerify } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import type { SignatureAlgorithm, Signer } from '../../../src/base/ports.ts';
import { jwkThumbprint } from '../../../src/spiffe/jwk.ts';
import { signJwtSvid } from '../../../src/spiffe/jwtSvid.ts';
import { decodeJwtSvid, type JwtAuthority, validateJwtSvid } from '../../../src/spiffe/jwtValidate.ts';

const NOW = 1_800_000_000_000;
const code = (name: string) => expect.objectContaining({ code: name });

interface Key {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
  readonly signer: Signer;
  readonly authority: JwtAuthority;
}

function keyOf({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }, algorithm: SignatureAlgorithm, hash: string): Key {
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return { privateKey, spki, signer: { algorithm, spki, sign: (data) => signBytes(hash, data, privateKey) }, authority: { kid: jwkThumbprint(spki), spki } };
}

const p256 = keyOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ecdsa-p256-sha256', 'sha256');
const p384 = keyOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'ecdsa-p384-sha384', 'sha384');
const p521 = keyOf(generateKeyPairSync('ec', { namedCurve: 'P-521' }), 'ecdsa-p521-sha512', 'sha512');
const rsa = keyOf(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'rsa-pkcs1-sha256', 'sha256');

const template = { kid: p256.authority.kid, sub: 'spiffe://example.org/ns/local/step/build', aud: ['sigstore'], iss: 'https://example.org', iat: NOW, exp: NOW + 300_000 };
const expectation = { keys: [p256.authority], audience: 'sigstore', now: NOW + 1000, trustDomain: 'example.org' };

const b64 = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token of any header and payload, signed as ES256 by p256 unless told otherwise. */
function craft(header: unknown, payload: unknown, sign = (data: Buffer) => signBytes('sha256', data, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' })): string {
  const input = `${b64(header)}.${b64(payload)}`;
  return `${input}.${sign(Buffer.from(input)).toString('base64url')}`;
}
const header = { alg: 'ES256', kid: p256.authority.kid, typ: 'JWT' };
const claims = { sub: template.sub, aud: ['sigstore'], iss: 'https://example.org', iat: NOW / 1000, exp: NOW / 1000 + 300 };

describe('signJwtSvid', () => {
  let token: string;
  beforeAll(async () => {
    token = await signJwtSvid({ ...template, signer: p256.signer, claims: { attempt: 'a1' } });
  });

  test('writes the header that JWT-SVID allows, and a list as audience', () => {
    const [head, body] = token.split('.');
    expect(Buffer.from(head!, 'base64url').toString()).toBe(`{"alg":"ES256","kid":"${p256.authority.kid}","typ":"JWT"}`);
    expect(JSON.parse(Buffer.from(body!, 'base64url').toString())).toEqual({ ...claims, attempt: 'a1' });
  });

  test('is accepted by jose', async () => {
    const key = await importSPKI(`-----BEGIN PUBLIC KEY-----\n${Buffer.from(p256.spki).toString('base64')}\n-----END PUBLIC KEY-----`, 'ES256');
    const { payload } = await jwtVerify(token, key, { audience: 'sigstore', issuer: 'https://example.org', currentDate: new Date(NOW + 1000) });
    expect(payload.sub).toBe(template.sub);
  });

  test.each([
    ['ES256', p256],
    ['ES384', p384],
    ['ES512', p521],
    ['RS256', rsa],
  ])('%s is validated', async (alg, key) => {
    // many, as r and s are shorter than the field now and then
    for (let round = 0; round < (alg === 'ES256' ? 64 : 4); round++) {
      const made = await signJwtSvid({ ...template, signer: key.signer, kid: key.authority.kid, aud: [`r${round}`] });
      expect(decodeJwtSvid(made).alg).toBe(alg);
      expect(validateJwtSvid(made, { ...expectation, keys: [rsa.authority, key.authority], audience: `r${round}` }).id.uri).toBe(template.sub);
    }
  });

  test('cuts times to seconds, never later than asked', async () => {
    const made = await signJwtSvid({ ...template, signer: p256.signer, exp: NOW + 1999 });
    expect(decodeJwtSvid(made).claims['exp']).toBe(NOW / 1000 + 1);
  });

  test.each([
    ['no audience', { aud: [] }, 'JWT_CLAIMS'],
    ['an empty audience', { aud: [''] }, 'JWT_CLAIMS'],
    ['a very long audience', { aud: ['a'.repeat(1025)] }, 'JWT_CLAIMS'],
    ['a claim that would stand twice', { claims: { exp: 1 } }, 'JWT_CLAIMS'],
    ['the ID of the trust domain', { sub: 'spiffe://example.org' }, 'SPIFFE_ID_INVALID'],
    ['a subject that is no SPIFFE ID', { sub: 'me' }, 'SPIFFE_ID_INVALID'],
    ['an algorithm that JWT-SVID does not list', { signer: { ...p256.signer, algorithm: 'ed25519' } }, 'JWT_ALG_NOT_ALLOWED'],
  ] as const)('refuses %s', async (_, change, expected) => {
    await expect(signJwtSvid({ ...template, signer: p256.signer, ...change })).rejects.toThrow(code(expected));
  });
});

describe('validateJwtSvid', () => {
  test('gives what the token says', () => {
    expect(validateJwtSvid(craft(header, claims), expectation)).toMatchObject({
      id: { uri: template.sub },
      kid: p256.authority.kid,
      issuer: 'https://example.org',
      audience: ['sigstore'],
      issuedAt: NOW,
      expiresAt: NOW + 300_000,
    });
  });

  test('takes a text as audience, a missing typ and JOSE, and tokens without iat and iss', () => {
    const { iat: _iat, iss: _iss, ...rest } = claims;
    expect(validateJwtSvid(craft({ alg: 'ES256', kid: header.kid }, { ...rest, aud: 'sigstore' }), expectation).issuer).toBeUndefined();
    expect(validateJwtSvid(craft({ ...header, typ: 'JOSE' }, claims), expectation).id.path).toBe('/ns/local/step/build');
  });

  test.each(['PS256', 'PS384', 'PS512', 'RS384', 'RS512'])('takes %s by an RSA key', (alg) => {
    const sha = `sha${alg.slice(2)}`;
    const options = alg.startsWith('PS') ? { key: rsa.privateKey, padding: 6, saltLength: -1 } : { key: rsa.privateKey };
    const token = craft({ ...header, alg, kid: rsa.authority.kid }, claims, (data) => signBytes(sha, data, options));
    expect(validateJwtSvid(token, { ...expectation, keys: [rsa.authority] }).id.uri).toBe(template.sub);
  });

  const good = craft(header, claims);
  const [head, body, signature] = good.split('.') as [string, string, string];

  test.each<[string, string, string]>([
    ['two parts', `${head}.${body}`, 'JWT_MALFORMED'],
    ['four parts', `${good}.`, 'JWT_MALFORMED'],
    ['JSON serialization', JSON.stringify({ protected: head, payload: body, signature }), 'JWT_MALFORMED'],
    ['more than 16 KiB', craft(header, { ...claims, pad: 'a'.repeat(16_000) }), 'JWT_MALFORMED'],
    ['jku in the header', craft({ ...header, jku: 'https://evil.example/keys' }, claims), 'JWT_MALFORMED'],
    ['jwk in the header', craft({ ...header, jwk: {} }, claims), 'JWT_MALFORMED'],
    ['crit in the header', craft({ ...header, crit: [] }, claims), 'JWT_MALFORMED'],
    ['another typ', craft({ ...header, typ: 'wit+jwt' }, claims), 'JWT_MALFORMED'],
    ['no kid', craft({ alg: 'ES256' }, claims), 'JWT_MALFORMED'],
    ['an empty kid', craft({ alg: 'ES256', kid: '' }, claims), 'JWT_MALFORMED'],
    ['a kid that is no text', craft({ alg: 'ES256', kid: 1 }, claims), 'JWT_MALFORMED'],
    ['a header twice over', `${b64('{"alg":"none","alg":"ES256","kid":"a"}')}.${body}.${signature}`, 'JSON_DUPLICATE_KEY'],
    ['a newline at the end', `${good}\n`, 'BASE64_NONCANONICAL'],
    ['padding', `${good}=`, 'BASE64_NONCANONICAL'],
    ['stray bits in the signature', `${head}.${body}.${signature.slice(0, -1)}${nextLetter(signature.at(-1)!)}`, 'BASE64_NONCANONICAL'],
    ['an unknown key', craft({ ...header, kid: 'other' }, claims), 'JWT_KEY_UNKNOWN'],
    ['alg none', `${b64({ ...header, alg: 'none' })}.${body}.`, 'JWT_ALG_NOT_ALLOWED'],
    ['HMAC with the public key as secret', craft({ ...header, alg: 'HS256' }, claims, (data) => createHmac('sha256', p256.spki).update(data).digest()), 'JWT_ALG_NOT_ALLOWED'],
    ['EdDSA', craft({ ...header, alg: 'EdDSA' }, claims), 'JWT_ALG_NOT_ALLOWED'],
    ['an algorithm of another key type', craft({ ...header, alg: 'RS256' }, claims), 'JWT_ALG_NOT_ALLOWED'],
    ['an algorithm of another curve', craft({ ...header, alg: 'ES384' }, claims), 'JWT_ALG_NOT_ALLOWED'],
    ['lower-case alg', craft({ ...header, alg: 'es256' }, claims), 'JWT_ALG_NOT_ALLOWED'],
    ['no signature', `${head}.${body}.`, 'JWT_SIGNATURE'],
    ['a DER signature', craft(header, claims, (data) => signBytes('sha256', data, p256.privateKey)), 'JWT_SIGNATURE'],
    ['a signature of zeros', craft(header, claims, () => Buffer.alloc(64)), 'JWT_SIGNATURE'],
    ['a changed payload', `${head}.${b64({ ...claims, sub: 'spiffe://example.org/stepseal/provenance' })}.${signature}`, 'JWT_SIGNATURE'],
    ['a payload that is a list', craft(header, []), 'JWT_CLAIMS'],
    ['no subject', craft(header, { ...claims, sub: undefined }), 'JWT_CLAIMS'],
    ['a subject that is no SPIFFE ID', craft(header, { ...claims, sub: 'a@example.org' }), 'SPIFFE_ID_INVALID'],
    ['the trust domain as subject', craft(header, { ...claims, sub: 'spiffe://example.org' }), 'SPIFFE_ID_INVALID'],
    ['a subject of another trust domain', craft(header, { ...claims, sub: 'spiffe://example.org.evil/a' }), 'JWT_TRUST_DOMAIN'],
    ['no audience', craft(header, { ...claims, aud: undefined }), 'JWT_CLAIMS'],
    ['an empty list of audiences', craft(header, { ...claims, aud: [] }), 'JWT_CLAIMS'],
    ['another audience', craft(header, { ...claims, aud: ['sigstore2', 'Sigstore'] }), 'JWT_AUDIENCE'],
    ['no expiry', craft(header, { ...claims, exp: undefined }), 'JWT_CLAIMS'],
    ['an expiry in text', craft(header, { ...claims, exp: String(claims.exp) }), 'JWT_CLAIMS'],
    ['an expiry beyond every date', craft(header, { ...claims, exp: 1e15 }), 'JWT_CLAIMS'],
    ['a negative expiry', craft(header, { ...claims, exp: -1 }), 'JWT_CLAIMS'],
    ['the very moment of expiry', craft(header, { ...claims, exp: NOW / 1000 + 1 }), 'JWT_EXPIRED'],
    ['a token from the future', craft(header, { ...claims, iat: NOW / 1000 + 2 }), 'JWT_NOT_YET_VALID'],
    ['a token that begins later', craft(header, { ...claims, nbf: NOW / 1000 + 2 }), 'JWT_NOT_YET_VALID'],
    ['an issuer that is no text', craft(header, { ...claims, iss: 1 }), 'JWT_CLAIMS'],
  ])('refuses %s', (_, token, expected) => {
    expect(() => validateJwtSvid(token, expectation)).toThrow(code(expected));
  });
});

// an ES256 signature has 64 bytes, so the last letter holds four bits that are zero
function nextLetter(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) + 1);
}
