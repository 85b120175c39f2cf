import type { JsonObject } from '../base/json.ts';
import type { Reader } from '../base/read.ts';
import { formatTime, formatTimeMs, parseTime } from '../base/time.ts';

/** A closed interval, ms since the epoch; without an end, until further notice. */
export interface Validity {
  readonly start: number;
  readonly end?: number;
}

/** Whether `time` (ms) is inside; both ends belong to it. */
export function isWithin({ start, end }: Validity, time: number): boolean {
  return start <= time && (end === undefined || time <= end);
}

export function validityJson({ start, end }: Validity): JsonObject {
  return { start: text(start), ...(end !== undefined && { end: text(end) }) };
}

/** dev.sigstore.common.v1.TimeRange with its start. Throws the reader's code, TIME_INVALID. */
export function readValidity(reader: Reader): Validity {
  reader.only('start', 'end');
  const start = parseTime(reader.at('start').string());
  const end = reader.at('end').optional((member) => parseTime(member.string()));
  if (end === undefined) return { start };
  return end < start ? reader.fail('an end that is not before the start') : { start, end };
}

function text(ms: number): string {
  return ms % 1000 === 0 ? formatTime(ms) : formatTimeMs(ms);
}
