import { concat, utf8 } from '../base/bytes.ts';
import { fromBase64, toBase64 } from '../base/base64.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';

/** C2SP signed-note. */
export interface NoteSignature {
  readonly name: string;
  /** 4 bytes: the start of the key id */
  readonly keyHint: Uint8Array;
  readonly signature: Uint8Array;
}

export interface Note {
  /** what is signed, with its final newline */
  readonly body: string;
  readonly signatures: readonly NoteSignature[];
}

/** Most signature lines that are read; the specification wants at least 16. */
const SIGNATURE_LIMIT = 64;
const NOTE_LIMIT = 1024 * 1024;
// no spaces, no plus, not empty (signed-note, "Format"); other control characters are refused with the whole note
const KEY_NAME = /^[^\s+]+$/u;

/** Strict: text, empty line, one or more lines `— name base64`. Throws CHECKPOINT_INVALID. */
export function parseNote(text: string): Note {
  if (text.length > NOTE_LIMIT) throw invalid('a note of at most 1 MiB', `${text.length} characters`);
  if (!text.isWellFormed() || /[\u0000-\u0009\u000b-\u001f\u007f]/.test(text)) throw invalid('UTF-8 text without control characters', text);
  const split = text.lastIndexOf('\n\n');
  if (split < 0 || !text.endsWith('\n')) throw invalid('text, an empty line, signature lines, each ended by a newline', text);
  const lines = text.slice(split + 2, -1).split('\n');
  if (lines.length > SIGNATURE_LIMIT) throw invalid(`at most ${SIGNATURE_LIMIT} signatures`, String(lines.length));
  return { body: text.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): NoteSignature {
  const [dash, name, encoded, more] = line.split(' ');
  if (dash !== '—' || name === undefined || !KEY_NAME.test(name) || encoded === undefined || more !== undefined) {
    throw invalid('— name base64', line);
  }
  const bytes = decode(encoded);
  if (bytes.length < 5) throw invalid('a key hint of 4 bytes and a signature', line);
  return { name, keyHint: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

function decode(encoded: string): Uint8Array {
  try {
    return fromBase64(encoded);
  } catch (cause) {
    if (!isStepsealError(cause)) throw cause;
    throw new StepsealError('CHECKPOINT_INVALID', 'a note signature that is not Base64', { found: encoded, cause });
  }
}

/** The inverse of parseNote. Throws CHECKPOINT_INVALID for a name that a note cannot carry or a body without final newline. */
export function encodeNote(note: Note): string {
  if (!note.body.endsWith('\n')) throw invalid('a body with a final newline', note.body);
  return `${note.body}\n${note.signatures.map(encodeSignature).join('')}`;
}

function encodeSignature({ name, keyHint, signature }: NoteSignature): string {
  if (!KEY_NAME.test(name)) throw invalid('a key name without spaces and plus signs', name);
  return `— ${name} ${toBase64(concat(keyHint, signature))}\n`;
}

export interface NoteKey {
  readonly name: string;
  readonly keyId: Uint8Array;
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A note with one signature over the body's UTF-8 bytes. `keyId` is the full key id; its first 4 bytes go in. */
export async function signNote(body: string, key: NoteKey): Promise<string> {
  const signature = await key.sign(utf8(body));
  return encodeNote({ body, signatures: [{ name: key.name, keyHint: key.keyId.subarray(0, 4), signature }] });
}

function invalid(expected: string, found: string): StepsealError {
  return new StepsealError('CHECKPOINT_INVALID', 'not a signed note', { expected, found });
}
