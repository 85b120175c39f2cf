import { describe, expect, test } from 'vitest';
import { formatTime, formatTimeMs, parseTime } from '../../../src/base/time.ts';

describe('times', () => {
  test.each([
    ['1970-01-01T00:00:00Z', 0],
    ['2026-01-02T03:04:05Z', 1_767_323_045_000],
    ['2026-01-02T03:04:05.6Z', 1_767_323_045_600],
    ['2026-01-02T03:04:05.678Z', 1_767_323_045_678],
    ['2026-01-02T03:04:05.678999999Z', 1_767_323_045_678],
    ['2024-02-29T23:59:59Z', 1_709_251_199_000],
    ['0001-01-01T00:00:00Z', -62_135_596_800_000],
    ['1969-12-31T23:59:59.5Z', -500],
  ])('%s', (text, ms) => {
    expect(parseTime(text)).toBe(ms);
  });

  test.each([
    ['a day that does not exist', '2026-02-30T00:00:00Z'],
    ['29 February of a common year', '2025-02-29T00:00:00Z'],
    ['month 13', '2026-13-01T00:00:00Z'],
    ['hour 24', '2026-01-01T24:00:00Z'],
    ['a leap second', '2016-12-31T23:59:60Z'],
    ['an offset', '2026-01-01T00:00:00+00:00'],
    ['no zone', '2026-01-01T00:00:00'],
    ['lower case', '2026-01-01t00:00:00z'],
    ['a blank instead of T', '2026-01-01 00:00:00Z'],
    ['a point without digits', '2026-01-01T00:00:00.Z'],
    ['ten digits of a second', '2026-01-01T00:00:00.0123456789Z'],
    ['a newline at the end', '2026-01-01T00:00:00Z\n'],
    ['a year of five digits', '12026-01-01T00:00:00Z'],
    ['nothing', ''],
  ])('refuses %s', (_, text) => {
    expect(() => parseTime(text)).toThrow(expect.objectContaining({ code: 'TIME_INVALID' }));
  });

  test('whole seconds are cut, never rounded up', () => {
    expect(formatTime(1_767_323_045_999)).toBe('2026-01-02T03:04:05Z');
    expect(formatTime(-1)).toBe('1969-12-31T23:59:59Z');
    expect(formatTimeMs(1_767_323_045_999)).toBe('2026-01-02T03:04:05.999Z');
  });

  test('reads what it writes', () => {
    for (const ms of [0, 999, 1_767_323_045_678, -62_135_596_800_000, 253_402_300_799_999]) expect(parseTime(formatTimeMs(ms))).toBe(ms);
  });
});
