import { isStepsealError, StepsealError } from '../base/errors.ts';
import { fields, parseDer } from '../der/read.ts';
import { TAG } from '../der/tags.ts';
import { asBoolean, asOid, asSmallInteger, integerBytes } from '../der/values.ts';
import { boolean, encode, integer, oid, sequence } from '../der/write.ts';
import { parseImprint, type Imprint } from './imprint.ts';

/** TimeStampReq (RFC 3161 section 2.4.1). */
export interface TimestampRequest {
  readonly imprint: Imprint;
  /** OID of the policy that the caller wants */
  readonly policy?: string;
  /** content octets of an INTEGER, of either sign */
  readonly nonce?: Uint8Array;
  /** whether the token is to embed the authority's certificate */
  readonly certReq: boolean;
}

const MAX_REQUEST = 4096;
const MAX_NONCE = 64;

/** Throws TIMESTAMP_INVALID, or ALG_NOT_ALLOWED for hashes other than SHA-256, SHA-384, SHA-512. Extensions are refused. */
export function parseTimestampRequest(der: Uint8Array): TimestampRequest {
  if (der.length > MAX_REQUEST) throw new StepsealError('TIMESTAMP_INVALID', 'the timestamp request is too large', { expected: `at most ${MAX_REQUEST} bytes`, found: String(der.length) });
  return asTimestampFault('request', () => parse(der));
}

function parse(der: Uint8Array): TimestampRequest {
  const parts = fields(parseDer(der), 'TimeStampReq');
  if (asSmallInteger(parts.any('version'), 'version') !== 1) throw new StepsealError('TIMESTAMP_INVALID', 'a timestamp request of another version', { expected: '1' });
  const imprint = parseImprint(parts.any('messageImprint'));
  const policy = parts.optional(TAG.oid);
  const nonce = parts.optional(TAG.integer);
  const flag = parts.optional(TAG.boolean);
  const certReq = flag !== undefined && asBoolean(flag, 'certReq');
  if (flag && !certReq) throw new StepsealError('DER_INVALID', 'certReq encodes its default');
  parts.end();
  return {
    imprint,
    certReq,
    ...(policy && { policy: asOid(policy, 'reqPolicy') }),
    ...(nonce && { nonce: parseNonce(integerBytes(nonce, 'nonce')) }),
  };
}

function parseNonce(nonce: Uint8Array): Uint8Array {
  if (nonce.length > MAX_NONCE) throw new StepsealError('TIMESTAMP_INVALID', 'the nonce is too long', { expected: `at most ${MAX_NONCE} bytes`, found: String(nonce.length) });
  return nonce;
}

/** DER of a request. `imprint` from imprintOf; `nonce` as content octets of an INTEGER. */
export function buildTimestampRequest(request: TimestampRequest): Uint8Array {
  return sequence(
    integer(1),
    request.imprint.der,
    ...(request.policy === undefined ? [] : [oid(request.policy)]),
    ...(request.nonce === undefined ? [] : [encode(TAG.integer, request.nonce)]),
    ...(request.certReq ? [boolean(true)] : []),
  );
}

/** Runs a parser of timestamps; what is wrong with the form of the bytes becomes TIMESTAMP_INVALID. */
export function asTimestampFault<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (!isStepsealError(cause) || cause.code === 'ALG_NOT_ALLOWED' || cause.code === 'TIMESTAMP_INVALID') throw cause;
    throw new StepsealError('TIMESTAMP_INVALID', `not a timestamp ${what}: ${cause.message}`, { cause });
  }
}
