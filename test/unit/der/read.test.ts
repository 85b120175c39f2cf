import { describe, expect, test } from 'vitest';
import { children, contentOf, fields, onlyChild, parseDer } from '../../../src/der/read.ts';
import { TAG } from '../../../src/der/tags.ts';
import {
  asBitString, asBoolean, asGeneralizedTime, asIa5, asInteger, asNamedBits, asNull, asOid, asSetOf, asSmallInteger, asTime, asUtf8, integerBytes,
} from '../../../src/der/values.ts';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
const node = (text: string) => parseDer(hex(text));
const ascii = (tag: number, text: string) => parseDer(Buffer.concat([Buffer.of(tag, text.length), Buffer.from(text, 'latin1')]));
const REFUSED = expect.objectContaining({ code: 'DER_INVALID' });

describe('the form of DER', () => {
  test.each([
    ['nothing at all', ''],
    ['a tag alone', '30'],
    ['a value shorter than its length', '04 03 01 02'],
    ['bytes after the value', '05 00 00'],
    ['an indefinite length', '30 80 00 00'],
    ['a long form below 128', '04 81 05 0102030405'],
    ['a long form with a leading zero', `04 82 0080 ${'00'.repeat(128)}`],
    ['a length of more than four octets', '04 85 0000000001 00'],
    ['a length that is cut', '04 82 01'],
    ['a tag number above 30', '1f 81 00 00'],
  ])('%s is refused', (_, text) => {
    expect(() => node(text)).toThrow(REFUSED);
  });

  test('lengths of 127, 128, 255, 256 and 65536 are read in their shortest form', () => {
    for (const [head, length] of [['04 7f', 127], ['04 81 80', 128], ['04 81 ff', 255], ['04 82 0100', 256], ['04 83 010000', 65536]] as const) {
      expect(contentOf(parseDer(Buffer.concat([hex(head), Buffer.alloc(length)])))).toHaveLength(length);
    }
  });

  test('children are views in order and a child may not reach over its parent', () => {
    expect(children(node('30 06 02 01 05 04 01 09')).map((child) => child.tag)).toEqual([TAG.integer, TAG.octetString]);
    expect(() => children(node('30 03 04 02 01'))).toThrow(REFUSED);
    expect(() => children(node('31 00'))).toThrow(REFUSED);
  });

  test('fields are read in order, optional ones by tag, and nothing may be left', () => {
    const reader = fields(node('30 06 02 01 05 04 01 09'), 'it');
    expect(reader.optional(TAG.boolean)).toBeUndefined();
    expect(asSmallInteger(reader.next(TAG.integer, 'first'), 'first')).toBe(5);
    expect(() => reader.end()).toThrow(REFUSED);
    expect(() => reader.next(TAG.integer, 'second')).toThrow(REFUSED);
    expect(reader.more()).toBe(true);
    reader.any('second');
    reader.end();
    expect(() => reader.any('third')).toThrow(REFUSED);
  });

  test('an explicit tag holds exactly one value', () => {
    expect(onlyChild(node('a0 03 02 01 02'), 'version').tag).toBe(TAG.integer);
    expect(() => onlyChild(node('a0 06 02 01 02 02 01 02'), 'version')).toThrow(REFUSED);
    expect(() => onlyChild(node('a0 00'), 'version')).toThrow(REFUSED);
  });
});

describe('values', () => {
  test('booleans are 00 or ff', () => {
    expect(asBoolean(node('01 01 ff'), 'b')).toBe(true);
    expect(asBoolean(node('01 01 00'), 'b')).toBe(false);
    for (const bad of ['01 01 01', '01 00', '01 02 ffff', '02 01 ff']) expect(() => asBoolean(node(bad), 'b')).toThrow(REFUSED);
  });

  test('integers are minimal and signed', () => {
    expect(asInteger(node('02 01 ff'), 'i')).toBe(-1n);
    expect(asInteger(node('02 02 0080'), 'i')).toBe(128n);
    expect(asInteger(node('02 09 00ffffffffffffffff'), 'i')).toBe(2n ** 64n - 1n);
    expect(integerBytes(node('02 02 0080'), 'i')).toEqual(hex('0080'));
    for (const bad of ['02 00', '02 02 0001', '02 02 ff80', '04 01 01']) expect(() => asInteger(node(bad), 'i')).toThrow(REFUSED);
  });

  test('small integers are from 0 to 2^31 - 1', () => {
    expect(asSmallInteger(node('02 04 7fffffff'), 'i')).toBe(2147483647);
    for (const bad of ['02 01 80', '02 05 0080000000']) expect(() => asSmallInteger(node(bad), 'i')).toThrow(REFUSED);
  });

  test.each([
    ['06 03 55 1d 0f', '2.5.29.15'],
    ['06 01 00', '0.0'],
    ['06 01 77', '2.39'],
    ['06 02 88 37', '2.999'],
    ['06 06 2b 06 01 04 01 02', '1.3.6.1.4.1.2'],
  ])('the object identifier %s is %s', (text, dotted) => {
    expect(asOid(node(text), 'oid')).toBe(dotted);
  });

  test.each(['06 00', '06 02 80 01', '06 01 80', '06 0a 2b ff ff ff ff ff ff ff ff 7f', `06 41 ${'2b'.repeat(65)}`])('%s is no object identifier', (text) => {
    expect(() => asOid(node(text), 'oid')).toThrow(REFUSED);
  });

  test('bit strings of keys and signatures have no unused bits', () => {
    expect(asBitString(node('03 03 00 0102'), 'b')).toEqual(hex('0102'));
    for (const bad of ['03 00', '03 02 01 02', '04 01 00']) expect(() => asBitString(node(bad), 'b')).toThrow(REFUSED);
  });

  test('named bits count from the left and end with a set bit', () => {
    expect(asNamedBits(node('03 02 07 80'), 'b')).toBe(1);
    expect(asNamedBits(node('03 02 01 06'), 'b')).toBe((1 << 5) | (1 << 6));
    expect(asNamedBits(node('03 03 07 0080'), 'b')).toBe(1 << 8);
    expect(asNamedBits(node('03 01 00'), 'b')).toBe(0);
    for (const bad of ['03 00', '03 01 01', '03 02 00 80', '03 02 08 80', '03 02 07 81', '03 05 00 00000001']) {
      expect(() => asNamedBits(node(bad), 'b')).toThrow(REFUSED);
    }
  });

  test('NULL is empty', () => {
    asNull(node('05 00'), 'n');
    expect(() => asNull(node('05 01 00'), 'n')).toThrow(REFUSED);
  });

  test('text is UTF-8 or seven bits', () => {
    expect(asUtf8(node('0c 02 c3a9'), 't')).toBe('é');
    expect(() => asUtf8(node('0c 01 ff'), 't')).toThrow(expect.objectContaining({ code: 'UTF8_INVALID' }));
    expect(() => asIa5(node('16 01 e9'), 't')).toThrow(REFUSED);
  });

  test('a SET OF is sorted', () => {
    expect(asSetOf(node('31 06 02 01 01 02 01 02'), 's')).toHaveLength(2);
    expect(() => asSetOf(node('31 06 02 01 02 02 01 01'), 's')).toThrow(REFUSED);
  });
});

describe('times', () => {
  test('UTCTime is of 1950 to 2049, GeneralizedTime from 2050 on', () => {
    expect(asTime(ascii(TAG.utcTime, '490102030405Z'), 't')).toBe(Date.UTC(2049, 0, 2, 3, 4, 5));
    expect(asTime(ascii(TAG.utcTime, '500102030405Z'), 't')).toBe(Date.UTC(1950, 0, 2, 3, 4, 5));
    expect(asTime(ascii(TAG.generalizedTime, '20500101000000Z'), 't')).toBe(Date.UTC(2050, 0, 1));
    expect(asTime(ascii(TAG.generalizedTime, '99991231235959Z'), 't')).toBe(Date.UTC(9999, 11, 31, 23, 59, 59));
  });

  test.each([
    [TAG.utcTime, '2601020304Z'], [TAG.utcTime, '260102030405+0000'], [TAG.utcTime, '260230000000Z'], [TAG.utcTime, '260102240000Z'],
    [TAG.utcTime, '260102036000Z'], [TAG.utcTime, '260102030460Z'], [TAG.generalizedTime, '20260102030405Z'], [TAG.generalizedTime, '20510102030405.5Z'],
    [TAG.generalizedTime, '00500101000000Z'], [TAG.utf8String, '260102030405Z'],
  ])('tag %i with %s is refused as a validity time', (tag, text) => {
    expect(() => asTime(ascii(tag, text), 't')).toThrow(REFUSED);
  });

  test('GeneralizedTime elsewhere may have a fraction without trailing zeros', () => {
    expect(asGeneralizedTime(ascii(TAG.generalizedTime, '20260102030405Z'), 't')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
    expect(asGeneralizedTime(ascii(TAG.generalizedTime, '20260102030405.6789Z'), 't')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
    for (const bad of ['20260102030405.Z', '20260102030405.50Z', '20260102030405,5Z', '20260102030405', '20260229030405Z']) {
      expect(() => asGeneralizedTime(ascii(TAG.generalizedTime, bad), 't')).toThrow(REFUSED);
    }
  });
});
