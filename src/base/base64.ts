import { StepsealError } from './errors.ts';

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/**
 * Standard alphabet, padded, canonical (RFC 4648 section 4 and 3.5): what does not encode back to the same text
 * is refused with BASE64_NONCANONICAL. Node's own decoder is lenient. `where` names the text in the error.
 */
export function fromBase64(text: string, where = 'the text'): Uint8Array {
  return decode(text, 'base64', where);
}

/** URL-safe alphabet without padding (RFC 7515 section 2), canonical. Throws BASE64_NONCANONICAL. */
export function fromBase64Url(text: string, where = 'the text'): Uint8Array {
  return decode(text, 'base64url', where);
}

function decode(text: string, alphabet: 'base64' | 'base64url', where: string): Uint8Array {
  const bytes = Buffer.from(text, alphabet);
  if (bytes.toString(alphabet) !== text) {
    throw new StepsealError('BASE64_NONCANONICAL', `${where} is not canonical ${alphabet}`, {
      expected: alphabet === 'base64' ? 'RFC 4648 section 4 with padding' : 'RFC 4648 section 5 without padding',
      found: text,
    });
  }
  return bytes;
}
