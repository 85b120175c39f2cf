import { concat, equalBytes, sha256 } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { formatTime } from '../base/time.ts';
import { asOctetString } from '../der/values.ts';
import { parseDer } from '../der/read.ts';
import { extensionValue, type Certificate } from './certificate.ts';
import { EXTENSION } from './oids.ts';
import { precertTbs } from './precert.ts';
import { verifySignature } from './verify.ts';

/** SignedCertificateTimestamp v1 (RFC 6962 section 3.2), signed by ECDSA P-256 with SHA-256. */
export interface Sct {
  /** SHA-256 of the log's SPKI, 32 bytes */
  readonly logId: Uint8Array;
  /** ms since the epoch */
  readonly timestamp: number;
  /** CtExtensions: part of what is signed */
  readonly extensions: Uint8Array;
  /** DER SEQUENCE(r, s) */
  readonly signature: Uint8Array;
}

/** A CT log that is trusted for a while; both ends of the time are included. */
export interface CtLogKey {
  /** DER, P-256 */
  readonly spki: Uint8Array;
  readonly validFor: { readonly start: number; readonly end?: number };
}

const HASH_LENGTH = 32;
const V1 = 0;
const SHA256_ECDSA = 0x0403;
const LEAF_INDEX_LENGTH = 5;
const MAX_SCTS = 16;
// the end of the year 9999
const MAX_TIME = 253_402_300_799_999;

/** What the log signs for a precertificate: `tbs` as precertTbs gives it, `issuerKeyHash` the SHA-256 of the issuer's SPKI (RFC 6962 section 3.2). */
export function sctSignedData(entry: { issuerKeyHash: Uint8Array; tbs: Uint8Array; timestamp: number; extensions: Uint8Array }): Uint8Array {
  const header = Uint8Array.of(V1, 0 /* certificate_timestamp */);
  return concat(header, uint(8, entry.timestamp), uint(2, 1 /* precert_entry */), entry.issuerKeyHash, opaque(3, entry.tbs), opaque(2, entry.extensions));
}

/** One SCT in TLS encoding. */
export function encodeSct(sct: Sct): Uint8Array {
  return concat(Uint8Array.of(V1), sct.logId, uint(8, sct.timestamp), opaque(2, sct.extensions), uint(2, SHA256_ECDSA), opaque(2, sct.signature));
}

/** SignedCertificateTimestampList of encoded SCTs (RFC 6962 section 3.3); extensions.ts sctList puts it into a certificate. */
export function encodeSctList(...scts: readonly Uint8Array[]): Uint8Array {
  return opaque(2, concat(...scts.map((sct) => opaque(2, sct))));
}

/** The inverse. SCTs of another version or algorithm are refused with the rest. Throws SCT_INVALID. */
export function parseSctList(bytes: Uint8Array): Sct[] {
  const outer = reader(bytes);
  const list = reader(outer.opaque(2));
  outer.end();
  const scts: Sct[] = [];
  while (list.more()) scts.push(parseSct(list.opaque(2)));
  if (scts.length === 0 || scts.length > MAX_SCTS) throw invalid('the SCT list is empty or too long', `1 to ${MAX_SCTS}`, String(scts.length));
  return scts;
}

function parseSct(bytes: Uint8Array): Sct {
  const from = reader(bytes);
  if (from.number(1) !== V1) throw invalid('an SCT of another version', 'v1');
  const logId = from.take(HASH_LENGTH);
  const timestamp = from.number(8);
  if (timestamp > MAX_TIME) throw invalid('the time of an SCT is out of range', 'ms since the epoch', String(timestamp));
  const extensions = from.opaque(2);
  if (from.number(2) !== SHA256_ECDSA) throw invalid('an SCT of another algorithm', 'ECDSA with SHA-256');
  const signature = from.opaque(2);
  from.end();
  return { logId, timestamp, extensions, signature };
}

/** The place in a static-ct log, if the extensions are a leaf_index alone (C2SP static-ct-api: type 0, uint16 length, uint40). */
export function leafIndexOf(sct: Sct): number | undefined {
  if (sct.extensions.length !== 3 + LEAF_INDEX_LENGTH || sct.extensions[0] !== 0) return undefined;
  const from = reader(sct.extensions.subarray(1));
  const length = from.number(2);
  return length === LEAF_INDEX_LENGTH ? from.number(LEAF_INDEX_LENGTH) : undefined;
}

/** The SCTs that a certificate embeds; none when it has no such extension. Throws SCT_INVALID. */
export function embeddedScts(certificate: Certificate): Sct[] {
  const value = extensionValue(certificate, EXTENSION.sctList);
  if (!value) return [];
  try {
    return parseSctList(asOctetString(parseDer(value), 'SCT list'));
  } catch (cause) {
    if (isStepsealError(cause) && cause.code === 'DER_INVALID') throw new StepsealError('SCT_INVALID', 'the SCT extension is malformed', { cause });
    throw cause;
  }
}

/**
 * At least one embedded SCT must be by one of `logs`, and each that names such a log must verify, within the log's time
 * (RFC 6962 section 3.2). `issuerSpki` is the key that signed the certificate. Returns the first. Throws SCT_INVALID.
 */
export function verifySct(certificate: Certificate, issuerSpki: Uint8Array, logs: readonly CtLogKey[]): Sct {
  const scts = embeddedScts(certificate);
  if (scts.length === 0) throw invalid('the certificate embeds no SCT', 'one');
  const tbs = precertTbs(certificate.tbs);
  const issuerKeyHash = sha256(issuerSpki);
  const known = scts.flatMap((sct) => {
    const log = logs.find((each) => equalBytes(sha256(each.spki), sct.logId));
    return log ? [{ sct, log }] : [];
  });
  for (const { sct, log } of known) {
    const { start, end } = log.validFor;
    if (sct.timestamp < start || (end !== undefined && sct.timestamp > end)) {
      throw invalid('an SCT outside the time of its log', `${formatTime(start)} to ${end === undefined ? 'now' : formatTime(end)}`, formatTime(sct.timestamp));
    }
    const data = sctSignedData({ issuerKeyHash, tbs, timestamp: sct.timestamp, extensions: sct.extensions });
    if (!verifySignature(log.spki, 'ecdsa-p256-sha256', data, sct.signature)) throw invalid('the signature of an SCT does not verify', `a signature of log ${toHex(sct.logId)}`);
  }
  const [first] = known;
  if (!first) throw invalid('no SCT of a trusted log', logs.map((log) => toHex(sha256(log.spki))).join(', '), scts.map((sct) => toHex(sct.logId)).join(', '));
  return first.sct;
}

function uint(width: number, value: number): Uint8Array {
  const out = new Uint8Array(width);
  let rest = value;
  for (let at = width - 1; at >= 0; at--) {
    out[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  if (rest !== 0) throw invalid(`a field of ${width} bytes would overflow`, `below ${256 ** width}`, String(value));
  return out;
}

function opaque(width: number, bytes: Uint8Array): Uint8Array {
  return concat(uint(width, bytes.length), bytes);
}

interface TlsReader {
  take(length: number): Uint8Array;
  number(width: number): number;
  opaque(width: number): Uint8Array;
  more(): boolean;
  end(): void;
}

function reader(bytes: Uint8Array): TlsReader {
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw invalid('an SCT ends too early', `${length} more bytes`, `${bytes.length - at}`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  const number = (width: number): number => {
    let value = 0;
    for (const byte of take(width)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw invalid('a number above 2^53 in an SCT', 'ms since the epoch');
    return value;
  };
  return {
    take,
    number,
    opaque: (width) => take(number(width)),
    more: () => at < bytes.length,
    end() {
      if (at !== bytes.length) throw invalid('bytes after an SCT', 'none', `${bytes.length - at} bytes`);
    },
  };
}

function invalid(message: string, expected: string, found?: string): StepsealError {
  return new StepsealError('SCT_INVALID', message, { expected, ...(found !== undefined && { found }) });
}
