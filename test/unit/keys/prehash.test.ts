import { createHash, generateKeyPairSync, privateEncrypt, constants, sign, verify, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concat } from '../../../src/base/bytes.ts';
import type { DigestName, Prehash } from '../../../src/base/ports.ts';
import { integer, sequence } from '../../../src/der/write.ts';
import { createPrehash, nativePrehash, requireNative } from '../../../src/keys/native.ts';
import { jsPrehash } from '../../../src/keys/prehash.ts';

const both: readonly (readonly [string, Prehash])[] = [['the addon', nativePrehash(requireNative())], ['the fallback', jsPrehash]];
const HASHES: readonly DigestName[] = ['sha256', 'sha384', 'sha512'];
const digestOf = (hash: DigestName, data: Uint8Array): Uint8Array => new Uint8Array(createHash(hash).update(data).digest());
const spkiOf = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ format: 'der', type: 'spki' }));
const pkcs8Of = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ format: 'der', type: 'pkcs8' }));

const CURVES = ['P-256', 'P-384', 'P-521'] as const;
const ec = Object.fromEntries(CURVES.map((namedCurve) => [namedCurve, generateKeyPairSync('ec', { namedCurve })])) as Record<(typeof CURVES)[number], ReturnType<typeof pair>>;
const rsa = pair();
const data = Buffer.from('what was built');

function pair() {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

describe.each(both)('prehashed signatures by %s', (_name, prehash) => {
  it.each(CURVES)('verify what node:crypto signed over the data, and sign what node:crypto verifies: %s', (curve) => {
    const { publicKey, privateKey } = ec[curve];
    for (const hash of HASHES) {
      expect(prehash.verify(spkiOf(publicKey), hash, digestOf(hash, data), sign(hash, data, privateKey))).toBe(true);
      const made = prehash.sign(pkcs8Of(privateKey), hash, digestOf(hash, data));
      expect(verify(hash, data, publicKey, made)).toBe(true);
      expect(prehash.verify(spkiOf(publicKey), hash, digestOf(hash, Buffer.from('another')), made)).toBe(false);
    }
  });

  it('verify RSA PKCS #1 v1.5 with each hash', () => {
    for (const hash of HASHES) {
      const signature = sign(hash, data, rsa.privateKey);
      expect(prehash.verify(spkiOf(rsa.publicKey), hash, digestOf(hash, data), signature)).toBe(true);
      expect(prehash.verify(spkiOf(rsa.publicKey), hash, digestOf(hash, Buffer.from('another')), signature)).toBe(false);
    }
  });

  it('refuse an RSA signature over another encoding of the digest', () => {
    const digest = digestOf('sha256', data);
    const raw = (content: Uint8Array) => privateEncrypt({ key: rsa.privateKey, padding: constants.RSA_PKCS1_PADDING }, content);
    const info = Buffer.from('3031300d060960864801650304020105000420', 'hex');
    const spki = spkiOf(rsa.publicKey);
    expect(prehash.verify(spki, 'sha256', digest, raw(concat(info, digest)))).toBe(true);
    const cases = {
      'no DigestInfo': digest,
      'without NULL': concat(Buffer.from('302f300b0609608648016503040201', 'hex'), Buffer.from('0420', 'hex'), digest),
      'trailing bytes': concat(info, digest, new Uint8Array(3)),
      'the digest of another hash': concat(Buffer.from('3041300d060960864801650304020205000430', 'hex'), digestOf('sha384', data)),
      empty: new Uint8Array(),
    };
    for (const [name, content] of Object.entries(cases)) expect([name, prehash.verify(spki, 'sha256', digest, raw(content))]).toEqual([name, false]);
    const good = new Uint8Array(raw(concat(info, digest)));
    expect(prehash.verify(spki, 'sha256', digest, concat(new Uint8Array(1), good))).toBe(false);
    expect(prehash.verify(spki, 'sha256', digest, good.subarray(1))).toBe(false);
    expect(prehash.verify(spki, 'sha256', digest, new Uint8Array(256).fill(255))).toBe(false);
  });

  it('refuse keys that the project does not allow, and other key types, without a throw', () => {
    const digest = digestOf('sha256', data);
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const other = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    const ed = generateKeyPairSync('ed25519');
    expect(prehash.verify(spkiOf(small.publicKey), 'sha256', digest, sign('sha256', data, small.privateKey))).toBe(false);
    expect(prehash.verify(spkiOf(other.publicKey), 'sha256', digest, sign('sha256', data, other.privateKey))).toBe(false);
    expect(prehash.verify(spkiOf(ed.publicKey), 'sha512', digestOf('sha512', data), sign(null, data, ed.privateKey))).toBe(false);
    expect(() => prehash.sign(pkcs8Of(ed.privateKey), 'sha256', digest)).toThrowError(expect.objectContaining({ code: 'KEY_INVALID' }));
    expect(() => prehash.sign(pkcs8Of(rsa.privateKey), 'sha256', digest)).toThrowError(expect.objectContaining({ code: 'KEY_INVALID' }));
    expect(() => prehash.sign(new Uint8Array(40), 'sha256', digest)).toThrowError(expect.objectContaining({ code: 'KEY_INVALID' }));
    expect(() => prehash.sign(pkcs8Of(ec['P-256'].privateKey), 'sha256', new Uint8Array(31))).toThrowError(expect.objectContaining({ code: 'DIGEST_INVALID' }));
  });

  it('refuse a digest whose length is not the hash\'s', () => {
    const { publicKey, privateKey } = ec['P-256'];
    const digest = digestOf('sha256', data);
    const signature = sign('sha256', data, privateKey);
    for (const length of [0, 20, 31, 33, 48]) expect(prehash.verify(spkiOf(publicKey), 'sha256', concat(digest, digest).subarray(0, length), signature)).toBe(false);
  });
});

/** The classes of Project Wycheproof's ECDSA tests, made here: what each must answer is known by construction. */
describe('ECDSA signatures in hostile encodings', () => {
  const ORDER = {
    'P-256': 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    'P-384': 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    'P-521': 0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  };
  const parts = (signature: Uint8Array): [bigint, bigint] => {
    const at = signature[1]! & 0x80 ? 3 : 2;
    const read = (offset: number): [bigint, number] => {
      const length = signature[offset + 1]!;
      return [BigInt(`0x${Buffer.from(signature.subarray(offset + 2, offset + 2 + length)).toString('hex')}`), offset + 2 + length];
    };
    const [r, next] = read(at);
    return [r, read(next)[0]];
  };
  const negative = (content: number[]) => new Uint8Array([2, content.length, ...content]);

  it.each(CURVES)('get the same answer from both: %s', (curve) => {
    const n = ORDER[curve];
    const { publicKey, privateKey } = ec[curve];
    const digest = digestOf('sha256', data);
    const good = new Uint8Array(sign('sha256', data, privateKey));
    const [r, s] = parts(good);
    const rs = (a: bigint, b: bigint) => sequence(integer(a), integer(b));
    const body = good.subarray(good[1]! & 0x80 ? 3 : 2);
    const cases: Record<string, [Uint8Array, boolean]> = {
      good: [good, true],
      'the same again': [rs(r, s), true],
      'the other s (malleability is allowed in ECDSA)': [rs(r, n - s), true],
      'r = 0': [rs(0n, s), false],
      's = 0': [rs(r, 0n), false],
      'both 0': [rs(0n, 0n), false],
      'both 1': [rs(1n, 1n), false],
      'r = n': [rs(n, s), false],
      's = n': [rs(r, n), false],
      'r + n': [rs(r + n, s), false],
      's + n': [rs(r, s + n), false],
      'r and s exchanged': [rs(s, r), false],
      'huge r': [rs(1n << 2000n, s), false],
      'negative s': [sequence(integer(r), negative([0x80, 1])), false],
      'a leading zero too many': [concat(new Uint8Array([0x30, 0x82, 0, body.length]), body), false],
      'an indefinite length': [concat(new Uint8Array([0x30, 0x80]), body, new Uint8Array(2)), false],
      'trailing bytes': [concat(good, new Uint8Array(1)), false],
      'trailing bytes inside': [sequence(integer(r), integer(s), new Uint8Array([5, 0])), false],
      'one integer': [sequence(integer(r)), false],
      truncated: [good.subarray(0, -1), false],
      empty: [new Uint8Array(), false],
      'a set instead of a sequence': [concat(new Uint8Array([0x31]), good.subarray(1)), false],
      'raw r and s': [Buffer.from(r.toString(16).padStart(132, '0') + s.toString(16).padStart(132, '0'), 'hex'), false],
      'a length of 4 GiB': [new Uint8Array([0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 1]), false],
    };
    for (const [name, [signature, expected]] of Object.entries(cases)) {
      for (const [by, prehash] of both) expect([by, name, prehash.verify(spkiOf(publicKey), 'sha256', digest, signature)]).toEqual([by, name, expected]);
    }
  });

  it('never crash, throw or pass when a byte of key or signature is changed', () => {
    for (const publicKey of [...CURVES.map((curve) => ec[curve].publicKey), rsa.publicKey]) {
      const privateKey = publicKey === rsa.publicKey ? rsa.privateKey : CURVES.map((curve) => ec[curve]).find((each) => each.publicKey === publicKey)!.privateKey;
      const spki = spkiOf(publicKey);
      const digest = digestOf('sha256', data);
      const signature = new Uint8Array(sign('sha256', data, privateKey));
      const native = nativePrehash(requireNative());
      for (let i = 0; i < spki.length; i += 3) {
        const changed = spki.map((byte, at) => (at === i ? byte ^ (1 << (i % 8)) : byte));
        expect(native.verify(changed, 'sha256', digest, signature)).toBe(false);
        expect(native.verify(spki.subarray(0, i), 'sha256', digest, signature)).toBe(false);
        // past our own parser too: OpenSSL itself
        requireNative().verifyDigest(changed, digest, signature);
        requireNative().verifyDigest(spki.subarray(0, i), digest, signature);
      }
      for (let i = 0; i < signature.length; i += 2) {
        const changed = signature.map((byte, at) => (at === i ? byte ^ (1 << (i % 8)) : byte));
        expect(native.verify(spki, 'sha256', digest, changed)).toBe(false);
        if (i % 24 === 0) expect(jsPrehash.verify(spki, 'sha256', digest, changed)).toBe(false);
      }
    }
  });

  it('of random content get the same answer from both', () => {
    const spki = spkiOf(ec['P-256'].publicKey);
    let seed = 1;
    const byte = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 16 & 0xff;
    for (let i = 0; i < 100; i++) {
      const signature = Uint8Array.from({ length: i }, byte);
      const digest = Uint8Array.from({ length: 32 }, byte);
      expect(nativePrehash(requireNative()).verify(spki, 'sha256', digest, signature)).toBe(jsPrehash.verify(spki, 'sha256', digest, signature));
    }
  });
});

it('the addon is what createPrehash gives where it loads', () => {
  const { publicKey, privateKey } = ec['P-256'];
  expect(createPrehash()).not.toBe(jsPrehash);
  expect(createPrehash().verify(spkiOf(publicKey), 'sha256', digestOf('sha256', data), sign('sha256', data, privateKey))).toBe(true);
});
