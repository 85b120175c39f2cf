import { fromUtf8, compareBytes } from '../base/bytes.ts';
import { bytesOf, children, contentOf, derError, expectTag, type DerNode } from './read.ts';
import { TAG } from './tags.ts';

/** DER booleans are 00 or FF (X.690 section 11.1). */
export function asBoolean(node: DerNode, what: string): boolean {
  expectTag(node, TAG.boolean, what);
  const value = node.source[node.body];
  if (node.end - node.body !== 1 || (value !== 0 && value !== 0xff)) throw derError(`${what} is not a DER boolean`, '00 or FF');
  return value === 0xff;
}

/** Content octets of a minimal two's-complement INTEGER (X.690 section 8.3.2); `tag` for IMPLICIT ones. */
export function integerBytes(node: DerNode, what: string, tag: number = TAG.integer): Uint8Array {
  expectTag(node, tag, what);
  const first = node.source[node.body]!;
  const length = node.end - node.body;
  if (length === 0) throw derError(`${what} is empty`);
  if (length > 1 && ((first === 0 && node.source[node.body + 1]! < 0x80) || (first === 0xff && node.source[node.body + 1]! >= 0x80))) {
    throw derError(`${what} is not minimal`);
  }
  return contentOf(node);
}

export function asInteger(node: DerNode, what: string, tag: number = TAG.integer): bigint {
  const bytes = integerBytes(node, what, tag);
  let value = BigInt(bytes[0]! >= 0x80 ? bytes[0]! - 256 : bytes[0]!);
  for (const byte of bytes.subarray(1)) value = (value << 8n) | BigInt(byte);
  return value;
}

/** An INTEGER from 0 to 2^31 - 1. */
export function asSmallInteger(node: DerNode, what: string, tag: number = TAG.integer): number {
  const bytes = integerBytes(node, what, tag);
  if (bytes.length > 4 || bytes[0]! >= 0x80) throw derError(`${what} is out of range`, '0 to 2147483647');
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value;
}

const MAX_OID_LENGTH = 64;

/** Dotted text; minimal base-128 components (X.690 section 8.19), each below 2^53. */
export function asOid(node: DerNode, what: string, tag: number = TAG.oid): string {
  expectTag(node, tag, what);
  const { source, body, end } = node;
  if (end === body || end - body > MAX_OID_LENGTH || source[end - 1]! >= 0x80) throw derError(`${what} is not an object identifier`);
  let text = '';
  let value = 0;
  let fresh = true;
  for (let at = body; at < end; at++) {
    const byte = source[at]!;
    if (fresh && byte === 0x80) throw derError(`${what} has a component that is not minimal`);
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER) throw derError(`${what} has a component above 2^53`);
    fresh = byte < 0x80;
    if (!fresh) continue;
    if (text === '') text = value < 80 ? `${Math.floor(value / 40)}.${value % 40}` : `2.${value - 80}`;
    else text += `.${value}`;
    value = 0;
  }
  return text;
}

export function asNull(node: DerNode, what: string): void {
  expectTag(node, TAG.nul, what);
  if (node.end !== node.body) throw derError(`${what} is not an empty NULL`);
}

export function asOctetString(node: DerNode, what: string, tag: number = TAG.octetString): Uint8Array {
  return contentOf(expectTag(node, tag, what));
}

/** A BIT STRING of whole octets, as keys and signatures are. */
export function asBitString(node: DerNode, what: string): Uint8Array {
  expectTag(node, TAG.bitString, what);
  if (node.source[node.body] !== 0 || node.end === node.body) throw derError(`${what} is not a BIT STRING of whole octets`);
  return node.source.subarray(node.body + 1, node.end);
}

const MAX_NAMED_BITS = 31;

/** A named bit list: bit n of the result is the n-th bit. Trailing zero bits are refused (X.690 section 11.2.2); bits 0 to 30. */
export function asNamedBits(node: DerNode, what: string): number {
  expectTag(node, TAG.bitString, what);
  const unused = node.source[node.body];
  const bytes = node.source.subarray(node.body + 1, node.end);
  if (node.end === node.body || unused === undefined || unused > 7 || (bytes.length === 0 && unused !== 0)) throw derError(`${what} is not a named bit list`);
  const length = bytes.length * 8 - unused;
  if (length > MAX_NAMED_BITS) throw derError(`${what} is too long`, `at most ${MAX_NAMED_BITS} bits`);
  let bits = 0;
  for (let index = 0; index < length; index++) {
    if (bytes[index >> 3]! & (0x80 >> (index & 7))) bits |= 1 << index;
  }
  const last = bytes.at(-1);
  if (last !== undefined && (((last >> unused) & 1) !== 1 || (last & ((1 << unused) - 1)) !== 0)) throw derError(`${what} has trailing zero bits or padding bits`);
  return bits;
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z$/;

/** Validity times as RFC 5280 section 4.1.2.5 has them: UTCTime through 2049, GeneralizedTime without fraction after. Ms since the epoch. */
export function asTime(node: DerNode, what: string): number {
  const text = latin1(node);
  if (node.tag === TAG.utcTime) {
    const match = UTC_TIME.exec(text);
    if (match) return timeOf(Number(match[1]) + (Number(match[1]) < 50 ? 2000 : 1900), match, what);
  } else if (node.tag === TAG.generalizedTime) {
    const match = GENERALIZED_TIME.exec(text);
    if (match && match[7] === undefined && Number(match[1]) >= 2050) return timeOf(Number(match[1]), match, what);
  }
  throw derError(`${what} is not a time`, 'YYMMDDHHMMSSZ, or YYYYMMDDHHMMSSZ from 2050 on', text);
}

/** GeneralizedTime in UTC; a fraction without trailing zeros is allowed (RFC 3161 section 2.4.2), digits beyond ms are cut. */
export function asGeneralizedTime(node: DerNode, what: string): number {
  expectTag(node, TAG.generalizedTime, what);
  const text = latin1(node);
  const match = GENERALIZED_TIME.exec(text);
  if (!match) throw derError(`${what} is not a time`, 'YYYYMMDDHHMMSS[.f]Z', text);
  return timeOf(Number(match[1]), match, what) + Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
}

function timeOf(year: number, match: RegExpExecArray, what: string): number {
  const [month, day, hour, minute, second] = [Number(match[2]), Number(match[3]), Number(match[4]), Number(match[5]), Number(match[6])] as const;
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(time);
  // 30 February would silently become 2 March; Date.UTC maps years 0-99 to 1900-1999
  if (
    date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day ||
    hour > 23 || minute > 59 || second > 59
  ) {
    throw derError(`${what} does not exist`, 'a date of the calendar', match[0]);
  }
  return time;
}

export function asUtf8(node: DerNode, what: string, tag: number = TAG.utf8String): string {
  return fromUtf8(contentOf(expectTag(node, tag, what)));
}

/** IA5String: seven bits. */
export function asIa5(node: DerNode, what: string, tag: number = TAG.ia5String): string {
  expectTag(node, tag, what);
  for (let at = node.body; at < node.end; at++) {
    if (node.source[at]! >= 0x80) throw derError(`${what} has characters outside ASCII`);
  }
  return latin1(node);
}

/** Values of a SET OF, which DER sorts by encoding (X.690 section 11.6). */
export function asSetOf(node: DerNode, what: string, tag: number = TAG.set): DerNode[] {
  const values = children(node, tag, what);
  for (let index = 1; index < values.length; index++) {
    if (compareBytes(bytesOf(values[index - 1]!), bytesOf(values[index]!)) > 0) throw derError(`${what} is not sorted`);
  }
  return values;
}

function latin1(node: DerNode): string {
  const { buffer, byteOffset } = node.source;
  return Buffer.from(buffer, byteOffset + node.body, node.end - node.body).toString('latin1');
}
