import { hash } from 'node:crypto';
import { equalBytes } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { formatTime } from '../base/time.ts';
import { bytesOf, fields, parseDer } from '../der/read.ts';
import { TAG } from '../der/tags.ts';
import { asSmallInteger } from '../der/values.ts';
import { integer, namedBits, sequence, utf8String } from '../der/write.ts';
import type { Certificate } from './certificate.ts';
import { contentIsIntact, parseSignedData, signedData, signedFor, type SignedTstInfo } from './cms.ts';
import { verifyCertificateChain } from './path.ts';
import { asTimestampFault } from './timestampRequest.ts';
import { parseTstInfo, type TstInfo } from './tstInfo.ts';
import { verifySignature } from './verify.ts';

const GRANTED = sequence(integer(0));

/**
 * TimeStampResp with status granted (RFC 3161 section 2.4.2), DER. `signature` by the key of `certificate` over
 * `signedAttributes`; `certificates` are embedded, none unless the request had certReq.
 */
export function assembleTimestampResponse(input: Parameters<typeof signedData>[0]): Uint8Array {
  return sequence(GRANTED, signedData(input));
}

/** Bits of PKIFailureInfo, RFC 3161 section 2.4.2. */
export const FAIL_INFO = { badAlg: 0, badRequest: 2, badDataFormat: 5, timeNotAvailable: 14, unacceptedPolicy: 15, unacceptedExtension: 16, systemFailure: 25 } as const;

/** TimeStampResp with status rejection, DER; `text` goes to the caller. */
export function rejectTimestamp(reason: keyof typeof FAIL_INFO, text: string): Uint8Array {
  return sequence(sequence(integer(2), sequence(utf8String(text)), namedBits(1 << FAIL_INFO[reason])));
}

/** A granted response, its token not verified yet. */
export interface TimestampResponse extends TstInfo {
  /** ContentInfo, DER */
  readonly token: Uint8Array;
  readonly signed: SignedTstInfo;
  /** embedded in the token */
  readonly certificates: readonly Certificate[];
}

const MAX_RESPONSE = 64 * 1024;

/** Strict: status granted without text, one token of the form that cms.ts accepts. Throws TIMESTAMP_INVALID, ALG_NOT_ALLOWED. */
export function parseTimestampResponse(der: Uint8Array): TimestampResponse {
  if (der.length > MAX_RESPONSE) throw new StepsealError('TIMESTAMP_INVALID', 'the timestamp is too large', { expected: `at most ${MAX_RESPONSE} bytes`, found: String(der.length) });
  return asTimestampFault('response', () => {
    const response = fields(parseDer(der), 'TimeStampResp');
    const status = fields(response.next(TAG.sequence, 'status'), 'PKIStatusInfo');
    const code = asSmallInteger(status.any('status'), 'status');
    if (code !== 0) throw new StepsealError('TIMESTAMP_INVALID', 'the authority did not grant the timestamp', { expected: 'status 0', found: `status ${code}` });
    status.end();
    const tokenNode = response.next(TAG.sequence, 'timeStampToken');
    response.end();
    const signed = parseSignedData(tokenNode);
    return { token: bytesOf(tokenNode), signed, certificates: signed.certificates, ...parseTstInfo(signed.content) };
  });
}

/** A timestamp authority as trust material has it. */
export interface TimestampAuthority {
  /** leaf first, root last */
  readonly chain: readonly Certificate[];
  /** ms since the epoch, both ends included */
  readonly validFor: { readonly start: number; readonly end?: number };
}

/**
 * The time at which `signatureBytes` existed, by one of `authorities` (RFC 3161 section 2.3, RFC 5652 section 5.6): the token's
 * content and signature, the authority's chain and trust at that time, the imprint; embedded certificates must be the
 * authority's own. Throws TIMESTAMP_INVALID, TSA_UNTRUSTED, TIMESTAMP_MISMATCH, ALG_NOT_ALLOWED.
 */
export function verifyTimestamp<A extends TimestampAuthority>(input: {
  response: Uint8Array;
  signatureBytes: Uint8Array;
  authorities: readonly A[];
}): { time: number; authority: A } {
  const response = parseTimestampResponse(input.response);
  const authority = authorityOf(response, input.authorities);
  const { imprint, genTime } = response;
  if (!equalBytes(hash(imprint.hash, input.signatureBytes, 'buffer'), imprint.digest)) {
    throw new StepsealError('TIMESTAMP_MISMATCH', 'the timestamp is over something else', { expected: `the ${imprint.hash} of the signature` });
  }
  return { time: genTime, authority };
}

// one leaf may stand in trust material twice, with times that do not overlap
function authorityOf<A extends TimestampAuthority>(response: TimestampResponse, authorities: readonly A[]): A {
  const { signed } = response;
  const named = authorities.filter(({ chain: [leaf] }) => leaf && equalBytes(leaf.issuer, signed.signerIssuer) && equalBytes(leaf.serial, signed.signerSerial));
  const [first] = named;
  if (!first) throw new StepsealError('TSA_UNTRUSTED', 'the timestamp is by an authority that is not trusted');
  assertSigned(signed, first.chain[0]!);
  const current = named.find(({ validFor: { start, end } }) => start <= response.genTime && (end === undefined || response.genTime <= end));
  if (!current) throw new StepsealError('TSA_UNTRUSTED', 'the authority was not trusted at the time of the timestamp', { found: formatTime(response.genTime) });
  assertChain(current, response.genTime);
  for (const embedded of response.certificates) {
    if (!current.chain.some((each) => equalBytes(each.der, embedded.der))) {
      throw new StepsealError('TSA_UNTRUSTED', 'the timestamp embeds a certificate that is not in the chain of its authority');
    }
  }
  return current;
}

function assertSigned(signed: SignedTstInfo, leaf: Certificate): void {
  if (!contentIsIntact(signed)) throw new StepsealError('TIMESTAMP_INVALID', 'the content of the timestamp was changed', { expected: 'the signed messageDigest' });
  if (!signedFor(signed, leaf)) throw new StepsealError('TIMESTAMP_INVALID', 'the timestamp was signed for another certificate', { expected: 'the ESSCertID of the authority' });
  if (!verifySignature(leaf.spki, signed.algorithm, signed.signedAttributes, signed.signature)) {
    throw new StepsealError('TIMESTAMP_INVALID', 'the signature of the timestamp does not verify');
  }
}

function assertChain({ chain }: TimestampAuthority, time: number): void {
  try {
    verifyCertificateChain({ leaf: chain[0]!, intermediates: chain.slice(1, -1), roots: chain.slice(1).slice(-1), time, purpose: 'timestamping' });
  } catch (cause) {
    if (!isStepsealError(cause)) throw cause;
    throw new StepsealError('TSA_UNTRUSTED', `the certificate of the timestamp authority does not hold: ${cause.message}`, { cause });
  }
}
