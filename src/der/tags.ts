/** Identifier octets, X.690 section 8.1.2: class, the constructed bit, number; only numbers below 31 exist here. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  nul: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

const CONTEXT = 0x80;
const CONSTRUCTED = 0x20;

/** `[n]` around a complete value (EXPLICIT), or IMPLICIT over a constructed type. */
export function contextConstructed(number: number): number {
  return CONTEXT | CONSTRUCTED | number;
}

/** `[n] IMPLICIT` over a primitive type. */
export function contextPrimitive(number: number): number {
  return CONTEXT | number;
}
