import { describe, expect, test } from 'vitest';
import { fromBase64, fromBase64Url, toBase64, toBase64Url } from '../../../src/base/base64.ts';
import { concat, equalBytes, fromUtf8, sha256, utf8 } from '../../../src/base/bytes.ts';
import { fromHex, toHex } from '../../../src/base/hex.ts';

describe('base64', () => {
  test('reads what it writes, for every length', () => {
    for (let length = 0; length < 70; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 151 + length) % 256);
      expect(Buffer.from(fromBase64(toBase64(bytes)))).toEqual(Buffer.from(bytes));
      expect(Buffer.from(fromBase64Url(toBase64Url(bytes)))).toEqual(Buffer.from(bytes));
    }
  });

  test('writes a view, not the buffer behind it', () => {
    const view = new Uint8Array(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2);
    expect(toBase64(view)).toBe('AgM=');
    expect(toHex(view)).toBe('0203');
  });

  test.each([
    ['missing padding', 'QQ'],
    ['half the padding', 'QQ='],
    ['too much padding', 'QQ==='],
    ['stray bits', 'QR=='],
    ['stray bits, one padding', 'QUJ='],
    ['the URL alphabet', '-_-_'],
    ['a blank inside', 'QU JD'],
    ['a newline at the end', 'QUJD\n'],
    ['a newline in front', '\nQUJD'],
    ['characters of no alphabet', 'QU!D'],
    ['text after the padding', 'QQ==QQ=='],
    ['padding alone', '===='],
    ['a zero byte', 'QUJD\0'],
    ['a letter that only looks like one', 'QUJ\u0410'],
    ['five characters', 'QUJDQ'],
  ])('refuses %s', (_, text) => {
    expect(() => fromBase64(text)).toThrow(expect.objectContaining({ code: 'BASE64_NONCANONICAL' }));
  });

  test.each([
    ['padding', 'QQ=='],
    ['the standard alphabet', '+/+/'],
    ['stray bits', 'QR'],
    ['a newline at the end', 'QUJD\n'],
  ])('base64url refuses %s', (_, text) => {
    expect(() => fromBase64Url(text)).toThrow(expect.objectContaining({ code: 'BASE64_NONCANONICAL' }));
  });

  test('names the place in the error', () => {
    expect(() => fromBase64('!', 'bundle.signature')).toThrow('bundle.signature');
  });
});

describe('hex', () => {
  test('reads what it writes', () => {
    expect(toHex(fromHex('00ff7f'))).toBe('00ff7f');
    expect(fromHex('')).toHaveLength(0);
    expect(fromHex('00ff', 2)).toHaveLength(2);
  });

  test.each([
    ['an odd length', 'abc'],
    ['upper case', 'AB'],
    ['a tail that is no hex', 'abcdzz12'],
    ['a prefix', '0xab'],
    ['a newline at the end', 'ab\n'],
    ['blanks', 'ab cd'],
  ])('refuses %s', (_, text) => {
    expect(() => fromHex(text)).toThrow(expect.objectContaining({ code: 'HEX_INVALID' }));
  });

  test('refuses another length than asked for', () => {
    expect(() => fromHex('abcd', 3)).toThrow(expect.objectContaining({ code: 'HEX_INVALID' }));
  });
});

describe('bytes', () => {
  test('concat keeps the order and copies', () => {
    const first = Uint8Array.of(1);
    const all = concat(first, new Uint8Array(0), Uint8Array.of(2, 3));
    first[0] = 9;
    expect([...all]).toEqual([1, 2, 3]);
  });

  test('equalBytes compares content and length', () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false);
    expect(equalBytes(new Uint8Array(0), new Uint8Array(0))).toBe(true);
  });

  test('sha256 of parts is sha256 of the whole', () => {
    expect(toHex(sha256(utf8('ab'), utf8('c')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(toHex(sha256(utf8('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(toHex(sha256())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  test('fromUtf8 keeps a byte order mark for the caller to see', () => {
    expect(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41))).toBe('\ufeffA');
    expect(() => fromUtf8(Uint8Array.of(0x80))).toThrow(expect.objectContaining({ code: 'UTF8_INVALID' }));
  });
});
