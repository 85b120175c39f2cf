import { StepsealError } from './errors.ts';

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/**
 * Standard alphabet, padded, canonical (RFC 4648 section 4 and 3.5): what does not encode back to the same text
 * is refused with BASE64_NONCANONICAL. Node's own decoder is lenient.
 */
export function fromBase64(text: string): Uint8Array {
  return decode(text, 'base64');
}

/** URL-safe alphabet without padding (RFC 7515 section 2), canonical. Throws BASE64_NONCANONICAL. */
export function fromBase64Url(text: string): Uint8Array {
  return decode(text, 'base64url');
}

function decode(text: string, alphabet: 'base64' | 'base64url'): Uint8Array {
  const bytes = Buffer.from(text, alphabet);
  if (bytes.toString(alphabet) !== text) {
    throw new StepsealError('BASE64_NONCANONICAL', `not canonical ${alphabet}`, {
      expected: alphabet === 'base64' ? 'RFC 4648 section 4 with padding' : 'RFC 4648 section 5 without padding',
      found: text,
    });
  }
  return bytes;
}
