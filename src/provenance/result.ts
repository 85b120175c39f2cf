import { sha256, utf8 } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { parseJson } from '../base/json.ts';
import { isObject, type Reader } from '../base/read.ts';
import { readChoice, readSha256 } from './read.ts';

export type ResultType = 'string' | 'array' | 'object';
export type ResultValue = string | readonly string[] | Readonly<Record<string, string>>;

/** One Tekton result as a step left it. The digest is over the raw bytes of the file; name, type and scope are signed beside it. */
export interface ClaimedResult {
  readonly name: string;
  /** `task`: $(results.x.path); `step`: $(step.results.x.path) */
  readonly scope: 'task' | 'step';
  readonly type: ResultType;
  /** hex */
  readonly sha256: string;
  /** raw text of the file, where it is UTF-8 of at most MAX_INLINE_RESULT bytes and not secret */
  readonly value?: string;
}

export const MAX_INLINE_RESULT = 4096;

/** A claimed result from the raw bytes; `secret` leaves the value out. */
export function claimResult(name: string, scope: 'task' | 'step', type: ResultType, raw: Uint8Array, secret: boolean): ClaimedResult {
  const digest = toHex(sha256(raw));
  const text = secret || raw.length > MAX_INLINE_RESULT ? undefined : textOf(raw);
  return text === undefined ? { name, scope, type, sha256: digest } : { name, scope, type, sha256: digest, value: text };
}

/**
 * The typed value of raw text: a string as it is, an array or an object as strict JSON of strings.
 * Throws CLAIM_ENCODING, so that `["a,b"]`, `["a","b"]` and `a,b` are never taken for each other.
 */
export function resultValue(type: ResultType, raw: string): ResultValue {
  if (type === 'string') return raw;
  const value = json(raw);
  const strings = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : undefined;
  if (strings === undefined || Array.isArray(value) !== (type === 'array') || !strings.every((item) => typeof item === 'string')) {
    throw new StepsealError('CLAIM_ENCODING', 'the result is not of its declared type', { expected: `JSON ${type} of strings`, found: raw });
  }
  return value as ResultValue;
}

/** Throws CLAIM_ENCODING where an inline value is not what the digest is over, or not of its type. */
export function checkResult(result: ClaimedResult): void {
  if (result.value === undefined) return;
  resultValue(result.type, result.value);
  const found = toHex(sha256(utf8(result.value)));
  if (found === result.sha256) return;
  throw new StepsealError('CLAIM_ENCODING', `the value of result ${result.name} is not what its digest is over`, { expected: result.sha256, found });
}

export function readResult(reader: Reader): ClaimedResult {
  reader.only('name', 'scope', 'type', 'digest', 'value');
  const result = {
    name: reader.at('name').string('a name', /./),
    scope: readChoice(reader.at('scope'), ['task', 'step']),
    type: readResultType(reader.at('type')),
    sha256: readSha256(reader.at('digest').only('sha256').at('sha256')),
  };
  const value = reader.at('value');
  return value.present ? { ...result, value: value.string() } : result;
}

export function readResultType(reader: Reader): ResultType {
  return readChoice(reader, ['string', 'array', 'object']);
}

export function resultKey(result: { readonly scope: string; readonly name: string }): string {
  return `${result.scope}/${result.name}`;
}

function json(raw: string): unknown {
  try {
    return parseJson(raw);
  } catch (cause) {
    if (!isStepsealError(cause)) throw cause;
    throw new StepsealError('CLAIM_ENCODING', 'the result is not JSON', { expected: 'JSON, as its type says', found: raw, cause });
  }
}

function textOf(raw: Uint8Array): string | undefined {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(raw);
  return Buffer.from(text, 'utf8').equals(raw) ? text : undefined;
}
