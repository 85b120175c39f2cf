import { type JsonObject } from '../base/json.ts';
import type { Reader } from '../base/read.ts';
import { parseTime } from '../base/time.ts';

const UID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Run, TaskRun and attempt ids: opaque, but safe in names and URLs. */
export function readUid(reader: Reader): string {
  return reader.string('an id of letters, digits, dot, dash and underscore', UID);
}

/** `{"sha256": "<64 lower-case hex>"}` and no other algorithm; returns the hex. */
export function readDigest(reader: Reader): string {
  return readSha256(reader.only('sha256').at('sha256'));
}

export function readSha256(reader: Reader): string {
  return reader.string('64 lower-case hexadecimal characters', /^[0-9a-f]{64}$/);
}

/** RFC 3339 text with exactly three digits of milliseconds, to ms since the epoch: one spelling, so that digests can be re-derived. Throws TIME_INVALID. */
export function readTime(reader: Reader): number {
  return parseTime(reader.string('a time in UTC with milliseconds', /\.\d{3}Z$/));
}

export function readInteger(reader: Reader, min: number, max: number): number {
  const value = reader.number();
  return Number.isInteger(value) && value >= min && value <= max ? value : reader.fail(`a whole number of ${min} to ${max}`);
}

export function readChoice<const T extends string>(reader: Reader, choices: readonly T[]): T {
  const value = reader.string();
  return choices.find((choice) => choice === value) ?? reader.fail(choices.join(' or '));
}

export function readMap<T>(reader: Reader, read: (member: Reader) => T): Record<string, T> {
  return Object.fromEntries(Object.keys(reader.object()).map((name) => [name, read(reader.at(name))]));
}

/** Members that are undefined are left out, so that "unset" has one spelling. */
export function compact(object: Record<string, unknown>): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as JsonObject;
}
