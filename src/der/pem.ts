import { StepsealError } from '../base/errors.ts';
import { fromBase64, toBase64 } from '../base/base64.ts';

const LINE = 64;

/** RFC 7468 section 3, strict form: 64 characters a line, a newline at the end. */
export function encodePem(label: string, der: Uint8Array): string {
  const lines = toBase64(der).match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/**
 * Every block of the text; all must have `label`, and nothing but blank lines may stand between them. Lines end with LF or
 * CRLF; base64 is canonical; one to 64 characters a line, all but the last of one block equally long. Throws PEM_INVALID.
 */
export function decodePem(text: string, label: string): Uint8Array[] {
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const blocks: Uint8Array[] = [];
  let body: string[] | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (body === undefined) {
      if (line === begin) body = [];
      else if (line.trim() !== '') throw pemError(begin, line);
    } else if (line === end) {
      blocks.push(decodeBody(body));
      body = undefined;
    } else {
      body.push(line);
    }
  }
  if (body !== undefined || blocks.length === 0) throw pemError(body === undefined ? begin : end, 'the end of the text');
  return blocks;
}

function decodeBody(lines: readonly string[]): Uint8Array {
  const width = lines[0]?.length ?? 0;
  const even = lines.every((line, index) => (index === lines.length - 1 ? line.length > 0 && line.length <= width : line.length === width));
  if (lines.length === 0 || width > LINE || !even) throw new StepsealError('PEM_INVALID', 'PEM with uneven or long lines', { expected: `lines of ${LINE} characters` });
  try {
    return fromBase64(lines.join(''));
  } catch (cause) {
    throw new StepsealError('PEM_INVALID', 'PEM with a body that is not canonical base64', { cause });
  }
}

// what stands in a key file is not repeated: it may be the key
function pemError(expected: string, line: string): StepsealError {
  return new StepsealError('PEM_INVALID', 'the text is not PEM of this label', { expected, found: line.startsWith('-----') ? line : 'other text' });
}
