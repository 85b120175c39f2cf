import { equalBytes, utf8 } from '../base/bytes.ts';
import { fromBase64, toBase64 } from '../base/base64.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { HASH_SIZE } from './hash.ts';
import { type Note, type NoteSignature, parseNote } from './note.ts';

/** C2SP tlog-checkpoint. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

export interface SignedCheckpoint extends Checkpoint {
  readonly extensions: readonly string[];
  readonly note: Note;
}

/** Body of the note: origin, size, Base64 root, each ended by a newline. Throws CHECKPOINT_INVALID, TLOG_PARSE. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  if (!ORIGIN.test(origin)) throw invalid('an origin of one line', origin);
  parseSize(String(size));
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

const ORIGIN = /^[^\s+]+$/u;

/**
 * Strict, signatures not checked. Throws CHECKPOINT_INVALID; TLOG_PARSE for a size that is not a decimal number
 * without leading zeroes below 2^53.
 */
export function parseCheckpoint(text: string): SignedCheckpoint {
  const note = parseNote(text);
  return { ...parseCheckpointBody(note.body), note };
}

/** The note's text alone, which ends in a newline. Throws as parseCheckpoint does. */
export function parseCheckpointBody(body: string): Omit<SignedCheckpoint, 'note'> {
  const [origin, size, root, ...rest] = body.slice(0, -1).split('\n');
  if (origin === undefined || !ORIGIN.test(origin)) throw invalid('an origin without white space', body);
  if (size === undefined || root === undefined) throw invalid('origin, size and root', body);
  if (rest.includes('')) throw invalid('extension lines that are not empty', body);
  return { origin, size: parseSize(size), root: parseRoot(root), extensions: rest };
}

/** Decimal text as JSON and checkpoints carry it: no sign, no leading zero, no space, below 2^53. Throws TLOG_PARSE. */
export function parseSize(text: string): number {
  const size = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(size)) {
    throw new StepsealError('TLOG_PARSE', 'not a size or index', { expected: 'a decimal number from 0 to 2^53 - 1', found: text });
  }
  return size;
}

function parseRoot(text: string): Uint8Array {
  let root: Uint8Array;
  try {
    root = fromBase64(text);
  } catch (cause) {
    if (!isStepsealError(cause)) throw cause;
    throw new StepsealError('CHECKPOINT_INVALID', 'the root is not Base64', { found: text, cause });
  }
  if (root.length !== HASH_SIZE) throw invalid('a root of 32 bytes', text);
  return root;
}

export interface LogKey {
  /** the name in the signature line, which is the origin */
  readonly origin: string;
  /** full key id, 32 bytes (logKeyId, ctKeyId) */
  readonly keyId: Uint8Array;
  /** true where `signature` is the log's over `data` */
  verify(data: Uint8Array, signature: Uint8Array): boolean;
}

/**
 * Parses and checks the log's own signature; lines of other keys are ignored, as the specification wants, but every
 * line of this name and hint must verify. Throws CHECKPOINT_INVALID, TLOG_PARSE, CHECKPOINT_ORIGIN, CHECKPOINT_SIGNATURE.
 */
export function openCheckpoint(text: string, key: LogKey): SignedCheckpoint {
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== key.origin) {
    throw new StepsealError('CHECKPOINT_ORIGIN', 'the checkpoint is of another log', { expected: key.origin, found: checkpoint.origin });
  }
  const own = signaturesOf(checkpoint.note, key);
  if (own.length === 0) {
    throw new StepsealError('CHECKPOINT_SIGNATURE', 'the checkpoint has no signature by the log key', {
      expected: `${key.origin} ${toHex(key.keyId.subarray(0, 4))}`,
      found: checkpoint.note.signatures.map(({ name, keyHint }) => `${name} ${toHex(keyHint)}`).join(', '),
    });
  }
  const body = utf8(checkpoint.note.body);
  for (const { signature } of own) {
    if (!key.verify(body, signature)) {
      throw new StepsealError('CHECKPOINT_SIGNATURE', 'the signature of the checkpoint does not verify', { found: key.origin });
    }
  }
  return checkpoint;
}

function signaturesOf(note: Note, key: LogKey): NoteSignature[] {
  return note.signatures.filter(({ name, keyHint }) => name === key.origin && equalBytes(keyHint, key.keyId.subarray(0, 4)));
}

function invalid(expected: string, found: string): StepsealError {
  return new StepsealError('CHECKPOINT_INVALID', 'not a checkpoint', { expected, found });
}
