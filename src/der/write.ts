import { compareBytes, concat } from '../base/bytes.ts';
import { derError } from './read.ts';
import { contextConstructed, contextPrimitive, TAG } from './tags.ts';

/** Identifier, definite minimal length (X.690 section 10.1) and the joined parts. */
export function encode(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const lengthOctets = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : length < 0x1000000 ? 3 : 4;
  const out = new Uint8Array(2 + lengthOctets + length);
  out[0] = tag;
  out[1] = lengthOctets === 0 ? length : 0x80 | lengthOctets;
  for (let index = 0; index < lengthOctets; index++) out[2 + index] = (length / 256 ** (lengthOctets - 1 - index)) & 0xff;
  let at = 2 + lengthOctets;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return encode(TAG.sequence, ...parts);
}

/** SET OF: sorted by encoding (X.690 section 11.6). */
export function set(...parts: readonly Uint8Array[]): Uint8Array {
  return encode(TAG.set, ...sorted(parts));
}

/** The content of a SET OF, for `[n] IMPLICIT SET OF`. */
export function sorted(parts: readonly Uint8Array[]): Uint8Array[] {
  return parts.length < 2 ? [...parts] : [...parts].sort(compareBytes);
}

/** A non-negative INTEGER; bytes are big-endian and unsigned, leading zeros are dropped. */
export function integer(value: number | bigint | Uint8Array): Uint8Array {
  return encode(TAG.integer, unsigned(typeof value === 'object' ? value : bigEndian(BigInt(value))));
}

function bigEndian(value: bigint): Uint8Array {
  if (value < 0n) throw derError('a negative INTEGER is not written', '0 or more', String(value));
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

function unsigned(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const rest = bytes.subarray(from);
  if (rest.length === 0) return Uint8Array.of(0);
  return rest[0]! < 0x80 ? rest : concat(Uint8Array.of(0), rest);
}

// the identifiers that this program writes are a few dozen constants
const OID_CACHE_SIZE = 256;
const oids = new Map<string, Uint8Array>();

/** Dotted text; every component below 2^31, because Go refuses larger ones. Throws DER_INVALID. */
export function oid(text: string): Uint8Array {
  const hit = oids.get(text);
  if (hit) return hit;
  const encoded = encodeOid(text);
  if (oids.size < OID_CACHE_SIZE) oids.set(text, encoded);
  return encoded;
}

function encodeOid(text: string): Uint8Array {
  const parts = text.split('.').map(Number);
  const [first, second] = parts;
  const valid = parts.length >= 2 && parts.every((part) => Number.isInteger(part) && part >= 0 && part < 2 ** 31);
  if (!valid || first === undefined || second === undefined || first > 2 || (first < 2 && second > 39)) {
    throw derError('not an object identifier', 'components below 2^31', text);
  }
  const bytes: number[] = [];
  for (const part of [first * 40 + second, ...parts.slice(2)]) {
    const digits = [part % 128];
    for (let rest = Math.floor(part / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift(0x80 | rest % 128);
    bytes.push(...digits);
  }
  return encode(TAG.oid, Uint8Array.from(bytes));
}

export function octetString(...parts: readonly Uint8Array[]): Uint8Array {
  return encode(TAG.octetString, ...parts);
}

const NO_UNUSED_BITS = Uint8Array.of(0);

/** A BIT STRING of whole octets. */
export function bitString(bytes: Uint8Array): Uint8Array {
  return encode(TAG.bitString, NO_UNUSED_BITS, bytes);
}

/** A named bit list: bit n of `bits` is the n-th bit; trailing zeros are dropped (X.690 section 11.2.2); bits 0 to 30. */
export function namedBits(bits: number): Uint8Array {
  const length = 32 - Math.clz32(bits);
  const bytes = new Uint8Array(Math.ceil(length / 8));
  for (let index = 0; index < length; index++) {
    if (bits & (1 << index)) bytes[index >> 3]! |= 0x80 >> (index & 7);
  }
  return encode(TAG.bitString, Uint8Array.of(bytes.length * 8 - length), bytes);
}

export function boolean(value: boolean): Uint8Array {
  return encode(TAG.boolean, Uint8Array.of(value ? 0xff : 0));
}

export function nul(): Uint8Array {
  return encode(TAG.nul);
}

export function utf8String(text: string): Uint8Array {
  return encode(TAG.utf8String, Buffer.from(text, 'utf8'));
}

/** ASCII only. Throws DER_INVALID. */
export function ia5Content(text: string): Uint8Array {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) >= 0x80) throw derError('IA5String with characters outside ASCII', 'ASCII', text);
  }
  return Buffer.from(text, 'latin1');
}

export function ia5String(text: string): Uint8Array {
  return encode(TAG.ia5String, ia5Content(text));
}

/** X.680 section 41.4. Throws DER_INVALID. */
export function printableString(text: string): Uint8Array {
  if (!/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)) throw derError('PrintableString with other characters', 'A-Z a-z 0-9 and punctuation', text);
  return encode(TAG.printableString, Buffer.from(text, 'latin1'));
}

/** A validity time from ms since the epoch, whole seconds: UTCTime through 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
export function time(ms: number): Uint8Array {
  const digits = timeDigits(ms);
  if (digits >= '2050') return encode(TAG.generalizedTime, Buffer.from(`${digits}Z`, 'latin1'));
  if (digits < '1950') throw derError('a time before 1950 is not written', '1950 or later', digits);
  return encode(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`, 'latin1'));
}

/** GeneralizedTime, whole seconds. */
export function generalizedTime(ms: number): Uint8Array {
  return encode(TAG.generalizedTime, Buffer.from(`${timeDigits(ms)}Z`, 'latin1'));
}

/** `YYYYMMDDHHMMSS`, cut to the second. */
function timeDigits(ms: number): string {
  const text = new Date(ms).toISOString();
  if (text.length !== 24) throw derError('a time outside the years 0 to 9999', undefined, text);
  return `${text.slice(0, 4)}${text.slice(5, 7)}${text.slice(8, 10)}${text.slice(11, 13)}${text.slice(14, 16)}${text.slice(17, 19)}`;
}

/** `[number] EXPLICIT` around a complete value. */
export function explicit(number: number, ...der: readonly Uint8Array[]): Uint8Array {
  return encode(contextConstructed(number), ...der);
}

/** `[number] IMPLICIT` over a primitive type: `content` is its content octets. */
export function implicit(number: number, content: Uint8Array): Uint8Array {
  return encode(contextPrimitive(number), content);
}

/** `[number] IMPLICIT` over a SEQUENCE or SET: `parts` are the values inside. */
export function implicitConstructed(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return encode(contextConstructed(number), ...parts);
}
