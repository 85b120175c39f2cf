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
  // ca
  CA_EXPIRED: 'unavailable',
  // keys
  KEY_FOREIGN: 'unavailable',
  KEY_INVALID: 'unavailable',
  KEY_MISSING: 'unavailable',
  KEY_PERMISSIONS: 'unavailable',
  // registry
  IDENTITY_NOT_ALLOWED: 'denied',
  IDENTITY_RESERVED: 'denied',
  IDENTITY_TEMPLATE_INVALID: 'invalid',
  PREDICATE_RESERVED: 'denied',
  ROAD_NOT_ALLOWED: 'denied',
  // tsa
  CLOCK_WENT_BACK: 'unavailable',
  // envelope
  BUNDLE_INVALID: 'invalid',
  DIGEST_ALG_CONFUSION: 'invalid',
  LOG_REQUEST_INVALID: 'invalid',
  SIGNING_CONFIG_INVALID: 'invalid',
  STATEMENT_INVALID: 'invalid',
  SUBJECT_MISMATCH: 'verdict',
  TLOG_PARSE: 'invalid',
  TRUSTED_ROOT_INVALID: 'invalid',
  TYPE_MISMATCH: 'invalid',
  // spiffe
  IDENTITY_PATTERN_INVALID: 'invalid',
  JWK_INVALID: 'invalid',
  JWT_ALG_NOT_ALLOWED: 'invalid',
  JWT_AUDIENCE: 'denied',
  JWT_CLAIMS: 'invalid',
  JWT_EXPIRED: 'denied',
  JWT_KEY_UNKNOWN: 'denied',
  JWT_MALFORMED: 'invalid',
  JWT_NOT_YET_VALID: 'denied',
  JWT_SIGNATURE: 'denied',
  JWT_TRUST_DOMAIN: 'denied',
  SPIFFE_BUNDLE_INVALID: 'invalid',
  SPIFFE_ID_INVALID: 'invalid',
  TRUST_DOMAIN_INVALID: 'invalid',
  TRUST_DOMAIN_NOT_CONSTRAINABLE: 'invalid',
  // rpc
  ADDRESS_UNUSABLE: 'unavailable',
  CALL_CANCELLED: 'unavailable',
  DEADLINE_EXCEEDED: 'unavailable',
  HEALTH_UNKNOWN: 'not-found',
  MESSAGE_TOO_LARGE: 'limit',
  PEER_UNKNOWN: 'denied',
  PORT_TAKEN: 'conflict',
  RPC_FAILED: 'unavailable',
  RPC_UNIMPLEMENTED: 'unavailable',
  SERVICE_UNREACHABLE: 'unavailable',
  SOCKET_FAILED: 'unavailable',
  SOCKET_IN_USE: 'conflict',
  SOCKET_PATH_TAKEN: 'conflict',
  SOCKET_PATH_TOO_LONG: 'invalid',
  // cli
  AGENT_UNAVAILABLE: 'unavailable',
  FILE_UNREADABLE: 'not-found',
  // general
  INTERNAL: 'internal',
  USAGE: 'usage',
} as const satisfies Record<string, Kind>;

export type Code = keyof typeof CODES;
