import { StepsealError } from './errors.ts';

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Lower-case hex only, even length; `length` is the number of bytes it must have. Throws HEX_INVALID. */
export function fromHex(text: string, length?: number): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text) || (length !== undefined && text.length !== length * 2)) {
    throw new StepsealError('HEX_INVALID', 'not lower-case hex of the right length', {
      expected: length === undefined ? 'pairs of 0-9 a-f' : `${length * 2} characters of 0-9 a-f`,
      found: text,
    });
  }
  return Buffer.from(text, 'hex');
}
