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
  // provenance
  ATTEMPT_MISMATCH: 'verdict',
  CLAIM_ENCODING: 'verdict',
  CLAIM_EQUIVOCATION: 'conflict',
  CLAIM_INVALID: 'invalid',
  CLAIM_NAME_MISMATCH: 'verdict',
  EVIDENCE_INVALID: 'invalid',
  OUTPUT_NOT_OBSERVED: 'verdict',
  PARAM_UNEXPECTED: 'verdict',
  PROVENANCE_DISAGREEMENT: 'verdict',
  PROVENANCE_INVALID: 'invalid',
  RESULT_NOT_SIGNED_BY_PRODUCER: 'verdict',
  RUN_UID_MISMATCH: 'verdict',
  STEP_MISSING: 'verdict',
  STEP_UNEXPECTED: 'verdict',
  VIEW_INVALID: 'invalid',
  // verifier
  BUILDER_NOT_TRUSTED_FOR_SIGNER: 'verdict',
  BYPRODUCT_DIGEST_MISMATCH: 'verdict',
  CHAIN_INCONSISTENT: 'verdict',
  CHECKPOINT_ORIGIN: 'verdict',
  CHECKPOINT_ROOT: 'verdict',
  CHECKPOINT_SIGNATURE: 'verdict',
  EVIDENCE_INCOMPLETE: 'verdict',
  EVIDENCE_MISMATCH: 'verdict',
  IDENTITY_MISMATCH: 'verdict',
  ISSUER_MISMATCH: 'verdict',
  KEY_REUSE: 'verdict',
  LINKAGE_INCOMPLETE: 'verdict',
  SIGNER_ROLE_MISMATCH: 'verdict',
  SIG_INVALID: 'verdict',
  TIMESTAMP_MISSING: 'verdict',
  TLOG_ENTRY_MISMATCH: 'verdict',
  TLOG_MISSING: 'verdict',
  TLOG_ROLLBACK: 'verdict',
  TLOG_UNTRUSTED: 'verdict',
  // merkle
  CHECKPOINT_INVALID: 'invalid',
  LOG_KEY_UNSUPPORTED: 'invalid',
  TLOG_PROOF: 'verdict',
  // log
  LOG_BUSY: 'limit',
  LOG_CLOSED: 'unavailable',
  LOG_CONFLICT: 'unavailable',
  LOG_CORRUPT: 'unavailable',
  LOG_ENTRY_SIZE: 'invalid',
  // store
  ATTEMPT_ENDED: 'denied',
  ATTEMPT_EXISTS: 'conflict',
  ATTEMPT_UNKNOWN: 'not-found',
  CONFIG_CHANGED: 'conflict',
  FOLDER_LOCKED: 'conflict',
  JOIN_TOKEN_EXPIRED: 'denied',
  JOIN_TOKEN_INVALID: 'denied',
  JOIN_TOKEN_USED: 'denied',
  KEY_ALREADY_CERTIFIED: 'conflict',
  RUN_FINISHED: 'conflict',
  RUN_UNKNOWN: 'not-found',
  STORE_FAILED: 'unavailable',
  STORE_FULL: 'unavailable',
  STORE_NEWER: 'unavailable',
  // general
  INTERNAL: 'internal',
  USAGE: 'usage',
} as const satisfies Record<string, Kind>;

export type Code = keyof typeof CODES;
