import type { Code } from '../base/codes.ts';
import { describeError, isStepsealError } from '../base/errors.ts';
import { rejectTimestamp, type FAIL_INFO } from '../x509/timestamp.ts';
import { parseTimestampRequest, type TimestampRequest } from '../x509/timestampRequest.ts';
import type { TimestampAuthority } from './authority.ts';
import { parseTimestampJson } from './json.ts';

export interface TimestampReply {
  readonly granted: boolean;
  /** TimeStampResp, DER: application/timestamp-reply */
  readonly der: Uint8Array;
}

// PKIFailureInfo, RFC 3161 section 2.4.2; what is not listed is a fault of ours and thrown
const REASONS: Partial<Record<Code, keyof typeof FAIL_INFO>> = {
  ALG_NOT_ALLOWED: 'badAlg',
  TIMESTAMP_INVALID: 'badDataFormat',
  TIMESTAMP_POLICY: 'unacceptedPolicy',
  CLOCK_WENT_BACK: 'timeNotAvailable',
  CA_EXPIRED: 'timeNotAvailable',
};

/** Answers a TimeStampReq, DER (application/timestamp-query). A refusal is a reply with status rejection. */
export function respondToDer(authority: TimestampAuthority, request: Uint8Array): Promise<TimestampReply> {
  return respond(authority, () => parseTimestampRequest(request));
}

/** Answers the JSON form of a request (application/json), in DER too. */
export function respondToJson(authority: TimestampAuthority, request: Uint8Array): Promise<TimestampReply> {
  return respond(authority, () => parseTimestampJson(request));
}

async function respond(authority: TimestampAuthority, parse: () => TimestampRequest): Promise<TimestampReply> {
  try {
    return { granted: true, der: await authority.stamp(parse()) };
  } catch (error) {
    const reason = isStepsealError(error) ? REASONS[error.code] : undefined;
    if (reason === undefined) throw error;
    return { granted: false, der: rejectTimestamp(reason, describeError(error)) };
  }
}
