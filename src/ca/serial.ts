import type { Rng } from '../base/ports.ts';

const LENGTH = 20;

/**
 * 158 random bits in 20 bytes, big-endian: positive and never shorter, so that no DER length depends on it
 * (RFC 5280 section 4.1.2.2 allows 20 octets).
 */
export function serialNumber(rng: Rng): Uint8Array {
  const serial = rng.bytes(LENGTH);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial;
}
