/** What kind of failure a code is; decides exit code, gRPC status and HTTP status in one place (outcome.ts). */
export type Kind =
  /** the input is not what the format or the limit allows */
  | 'invalid'
  /** the command line is wrong */
  | 'usage'
  /** a check was made and did not hold: a verdict */
  | 'verdict'
  /** the caller may not do this */
  | 'denied'
  /** it exists already, or the state does not allow it now */
  | 'conflict'
  | 'not-found'
  /** a bound was reached; later may be fine */
  | 'limit'
  /** a part that is needed cannot be reached or cannot work now */
  | 'unavailable'
  /** a fault of ours */
  | 'internal';

/** The closed union of codes; each is explained in docs/errors.md (test/rules/errors.test.ts holds the two together). */
export const CODES = {
  // formats
  BASE64_NONCANONICAL: 'invalid',
  DER_INVALID: 'invalid',
  DIGEST_INVALID: 'invalid',
  HEX_INVALID: 'invalid',
  JSON_DUPLICATE_KEY: 'invalid',
  JSON_INVALID: 'invalid',
  JSON_LIMIT: 'invalid',
  PEM_INVALID: 'invalid',
  TIME_INVALID: 'invalid',
  UTF8_INVALID: 'invalid',
  // the rest
  INTERNAL: 'internal',
  USAGE: 'usage',
} as const satisfies Record<string, Kind>;

export type Code = keyof typeof CODES;
