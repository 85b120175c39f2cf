import { CODES, type Code, type Kind } from './codes.ts';

export type { Code, Kind } from './codes.ts';

/** What an error may carry besides its sentence; all of it is printed, so no secret goes in. */
export interface ErrorDetail {
  /** What would have been accepted. */
  readonly expected?: string;
  /** What was there instead; shortened to 200 characters. */
  readonly found?: string;
  readonly cause?: unknown;
}

const FOUND_LIMIT = 200;

/** The one error class. `code` is stable and explained in docs/errors.md; `message` is for people. */
export class StepsealError extends Error {
  override readonly name = 'StepsealError';
  readonly code: Code;
  readonly expected: string | undefined;
  readonly found: string | undefined;

  constructor(code: Code, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.expected = detail.expected;
    this.found = detail.found === undefined ? undefined : shorten(detail.found);
  }

  get kind(): Kind {
    return CODES[this.code];
  }
}

function shorten(text: string): string {
  return text.length <= FOUND_LIMIT ? text : `${text.slice(0, FOUND_LIMIT)}… (${text.length} characters)`;
}

export function isStepsealError(value: unknown): value is StepsealError {
  return value instanceof StepsealError;
}

/** The same error if it is ours already, otherwise `code` around it. */
export function asStepsealError(value: unknown, code: Code, message: string): StepsealError {
  return isStepsealError(value) ? value : new StepsealError(code, message, { cause: value });
}

/** One line for a terminal or a log: code, sentence, expected and found. */
export function describeError(value: unknown): string {
  if (!isStepsealError(value)) return value instanceof Error ? value.message : String(value);
  const expected = value.expected === undefined ? '' : `; expected ${value.expected}`;
  const found = value.found === undefined ? '' : `; found ${value.found}`;
  return `${value.code}: ${value.message}${expected}${found}`;
}
