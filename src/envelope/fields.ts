import { fromBase64 } from '../base/base64.ts';
import type { Reader } from '../base/read.ts';

/** A `bytes` field of protobuf JSON: canonical base64 of `length` bytes, or of 1 to `max`. Throws the reader's code, BASE64_NONCANONICAL. */
export function readBytes(reader: Reader, size: { readonly length?: number; readonly max?: number }): Uint8Array {
  const bytes = fromBase64(reader.string('base64 text'), reader.path);
  if (size.length !== undefined && bytes.length !== size.length) reader.fail(`base64 of ${size.length} bytes`);
  if (bytes.length === 0) reader.fail('base64 of at least one byte');
  if (size.max !== undefined && bytes.length > size.max) reader.fail(`base64 of at most ${size.max} bytes`);
  return bytes;
}

/**
 * An int64 field of protobuf JSON: decimal text without sign, blanks or leading zeros, below 2^53. Writers leave a zero
 * out, so absence is 0. Throws the reader's code.
 */
export function readInt64(reader: Reader): number {
  if (!reader.present) return 0;
  const text = reader.string('a decimal number as text', /^(?:0|[1-9][0-9]{0,15})$/);
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : reader.fail('a number below 2^53');
}

/** At most `limit` elements; absence is an empty list, as protobuf JSON has it. Throws the reader's code. */
export function readList(reader: Reader, limit: number): Reader[] {
  const items = reader.present ? reader.array() : [];
  return items.length <= limit ? items : reader.fail(`at most ${limit} elements`);
}
