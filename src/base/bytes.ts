import { createHash, hash, timingSafeEqual } from 'node:crypto';
import { StepsealError } from './errors.ts';

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Equal content, in time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return hash('sha256', parts[0]!, 'buffer');
  const state = createHash('sha256');
  for (const part of parts) state.update(part);
  return state.digest();
}

export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Strict UTF-8; a BOM is kept as a character, so that callers can refuse it. Throws UTF8_INVALID. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch (cause) {
    throw new StepsealError('UTF8_INVALID', 'the bytes are not UTF-8', { cause });
  }
}
