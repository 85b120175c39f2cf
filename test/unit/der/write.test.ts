import { describe, expect, test } from 'vitest';
import { toHex } from '../../../src/base/hex.ts';
import { parseDer } from '../../../src/der/read.ts';
import { asTime } from '../../../src/der/values.ts';
import * as write from '../../../src/der/write.ts';

const REFUSED = expect.objectContaining({ code: 'DER_INVALID' });

describe('writing DER', () => {
  test.each([
    ['an empty sequence', write.sequence(), '3000'],
    ['zero', write.integer(0), '020100'],
    ['127', write.integer(127), '02017f'],
    ['128', write.integer(128), '02020080'],
    ['a bigint', write.integer(2n ** 64n), '0209010000000000000000'],
    ['unsigned bytes', write.integer(Uint8Array.of(0, 0, 0xff)), '020200ff'],
    ['no bytes', write.integer(new Uint8Array()), '020100'],
    ['an identifier', write.oid('1.2.840.10045.4.3.2'), '06082a8648ce3d040302'],
    ['a UUID arc', write.oid('2.25.2147483647'), '06066987ffffff7f'],
    ['an octet string', write.octetString(Uint8Array.of(1)), '040101'],
    ['a bit string', write.bitString(Uint8Array.of(1)), '03020001'],
    ['named bits', write.namedBits((1 << 5) | (1 << 6)), '03020106'],
    ['no named bits', write.namedBits(0), '030100'],
    ['true', write.boolean(true), '0101ff'],
    ['null', write.nul(), '0500'],
    ['UTF-8', write.utf8String('é'), '0c02c3a9'],
    ['IA5', write.ia5String('a'), '160161'],
    ['printable', write.printableString('US'), '13025553'],
    ['an explicit tag', write.explicit(0, write.integer(2)), 'a003020102'],
    ['an implicit primitive', write.implicit(6, Uint8Array.of(0x61)), '860161'],
    ['an implicit sequence', write.implicitConstructed(1, write.nul()), 'a1020500'],
    ['a set, sorted', write.set(write.integer(2), write.integer(1)), '3106020101020102'],
    ['UTCTime', write.time(Date.UTC(2049, 11, 31, 23, 59, 59, 999)), `170d${Buffer.from('491231235959Z').toString('hex')}`],
    ['GeneralizedTime', write.time(Date.UTC(2050, 0, 1)), `180f${Buffer.from('20500101000000Z').toString('hex')}`],
    ['GeneralizedTime, asked for', write.generalizedTime(Date.UTC(2026, 0, 2, 3, 4, 5, 6)), `180f${Buffer.from('20260102030405Z').toString('hex')}`],
  ])('%s', (_, der, expected) => {
    expect(toHex(der)).toBe(expected);
  });

  test('lengths take the shortest form', () => {
    for (const [length, head] of [[127, '047f'], [128, '048180'], [256, '04820100'], [65536, '0483010000']] as const) {
      expect(toHex(write.octetString(new Uint8Array(length))).slice(0, head.length)).toBe(head);
    }
  });

  test.each([
    ['a component of 2^31', () => write.oid('2.25.2147483648')],
    ['a single component', () => write.oid('2')],
    ['a second component of 40 below 1', () => write.oid('1.40')],
    ['a word', () => write.oid('1.x')],
    ['a negative integer', () => write.integer(-1)],
    ['a URI that is not ASCII', () => write.ia5String('é')],
    ['an asterisk in a PrintableString', () => write.printableString('*')],
    ['a time before 1950', () => write.time(Date.UTC(1949, 0, 1))],
    ['a time after 9999', () => write.generalizedTime(Date.UTC(10_000, 0, 1))],
  ])('%s is refused', (_, run) => {
    expect(run).toThrow(REFUSED);
  });

  test('every second of a leap day reads back', () => {
    for (let second = 0; second < 86_400; second += 997) {
      const time = Date.UTC(2028, 1, 29) + second * 1000;
      expect(asTime(parseDer(write.time(time)), 'time')).toBe(time);
    }
  });
});
