import { concat } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';

/** Longest entry of a tlog-tiles log, bytes. */
export const ENTRY_LIMIT = 65_535;

/** uint16 length, big endian, then the entry (C2SP tlog-tiles, "Log Entries"). Throws LOG_ENTRY_SIZE for an empty or too long one. */
export function frameEntry(entry: Uint8Array): Uint8Array {
  if (entry.length === 0 || entry.length > ENTRY_LIMIT) {
    throw new StepsealError('LOG_ENTRY_SIZE', 'an entry of an impossible length', {
      expected: `1 to ${ENTRY_LIMIT} bytes`,
      found: `${entry.length} bytes`,
    });
  }
  return concat(Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry);
}

/** The entries of a bundle, in order, without copying. Throws TLOG_PARSE where the lengths do not add up. */
export function splitBundle(bundle: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bundle.length) {
    const start = at + 2;
    const end = start <= bundle.length ? start + ((bundle[at]! << 8) | bundle[at + 1]!) : Infinity;
    if (end > bundle.length) {
      throw new StepsealError('TLOG_PARSE', 'the entry bundle ends inside an entry', {
        found: `${bundle.length} bytes, entry ${entries.length} at ${at}`,
      });
    }
    entries.push(bundle.subarray(start, end));
    at = end;
  }
  return entries;
}
