import { toBase64 } from '../base/base64.ts';
import { utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { canonicalJson, type JsonObject, parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { type DsseEnvelope, IN_TOTO_PAYLOAD_TYPE } from './dsse.ts';
import { readBytes, readList } from './fields.ts';
import { hashLength, hashName, hashOfDigest, hashOfName } from './keyDetails.ts';
import { readTlogEntry, type TlogEntry, tlogEntryJson } from './tlogEntry.ts';

export interface MessageContent {
  readonly kind: 'message';
  /**
   * Of the artifact; SHA-256, or SHA-384 or SHA-512 where the key demands it, told by its length. A hint that only the
   * signature authenticates.
   */
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
}

export interface DsseContent extends DsseEnvelope {
  readonly kind: 'dsse';
}

/** A Sigstore bundle v0.3: one leaf certificate, one signature. */
export interface Bundle {
  /** leaf, DER */
  readonly certificate: Uint8Array;
  readonly tlogEntries: readonly TlogEntry[];
  /** RFC 3161 TimeStampResp, DER */
  readonly timestamps: readonly Uint8Array[];
  readonly content: MessageContent | DsseContent;
}

export const BUNDLE_MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const BUNDLE_MEDIA_TYPES = [BUNDLE_MEDIA_TYPE, 'application/vnd.dev.sigstore.bundle+json;version=0.3'];

// sigstore-go has the same bound for each
const MAX_EVIDENCE = 32;
const MAX_CERTIFICATE = 64 * 1024;
const MAX_TIMESTAMP = 64 * 1024;
// RSA-4096 has 512
const MAX_SIGNATURE = 1024;
const MAX_SIZE = 24 * 1024 * 1024;

/** Sigstore bundle v0.3 (sigstore_bundle.proto), RFC 8785 JSON, UTF-8. */
export function encodeBundle(bundle: Bundle): Uint8Array {
  return utf8(
    canonicalJson({
      mediaType: BUNDLE_MEDIA_TYPE,
      verificationMaterial: {
        certificate: { rawBytes: toBase64(bundle.certificate) },
        tlogEntries: bundle.tlogEntries.map(tlogEntryJson),
        timestampVerificationData: { rfc3161Timestamps: bundle.timestamps.map((timestamp) => ({ signedTimestamp: toBase64(timestamp) })) },
      },
      ...contentJson(bundle.content),
    }),
  );
}

function contentJson(content: Bundle['content']): JsonObject {
  if (content.kind === 'message') {
    return { messageSignature: { messageDigest: { algorithm: hashName(hashOfDigest(content.digest)), digest: toBase64(content.digest) }, signature: toBase64(content.signature) } };
  }
  return { dsseEnvelope: { payload: toBase64(content.payload), payloadType: content.payloadType, signatures: [{ sig: toBase64(content.signature) }] } };
}

/**
 * Media type v0.3 only, no unknown member, exactly one certificate and no chain, exactly one signature, in-toto payloads
 * only. Checks shape and ranges, no signature. Throws BUNDLE_INVALID, TLOG_PARSE (inside log entries), TYPE_MISMATCH
 * (payload type), BASE64_NONCANONICAL and the codes of parseJson.
 */
export function parseBundle(bytes: Uint8Array): Bundle {
  const json = parseJson(bytes, { size: MAX_SIZE });
  const reader = new Reader(json, 'bundle', 'BUNDLE_INVALID').only('mediaType', 'verificationMaterial', 'messageSignature', 'dsseEnvelope');
  const mediaType = reader.at('mediaType').string();
  if (!BUNDLE_MEDIA_TYPES.includes(mediaType)) reader.at('mediaType').fail(BUNDLE_MEDIA_TYPES.join(' or '));
  // publicKey and x509CertificateChain, the other two of this oneof, are refused as unknown
  const material = reader.at('verificationMaterial').only('certificate', 'tlogEntries', 'timestampVerificationData');
  const entries = readList(material.at('tlogEntries'), MAX_EVIDENCE);
  return {
    certificate: readBytes(material.at('certificate').only('rawBytes').at('rawBytes'), { max: MAX_CERTIFICATE }),
    tlogEntries: entries.map((entry) => readTlogEntry(new Reader(entry.value, entry.path, 'TLOG_PARSE'))),
    timestamps: material.at('timestampVerificationData').optional(readTimestamps) ?? [],
    content: readContent(reader),
  };
}

function readTimestamps(reader: Reader): Uint8Array[] {
  const timestamps = readList(reader.only('rfc3161Timestamps').at('rfc3161Timestamps'), MAX_EVIDENCE);
  return timestamps.map((timestamp) => readBytes(timestamp.only('signedTimestamp').at('signedTimestamp'), { max: MAX_TIMESTAMP }));
}

function readContent(reader: Reader): Bundle['content'] {
  const message = reader.at('messageSignature');
  const dsse = reader.at('dsseEnvelope');
  if (message.present === dsse.present) reader.fail('either a messageSignature or a dsseEnvelope');
  return message.present ? readMessage(message) : readDsse(dsse);
}

function readMessage(reader: Reader): MessageContent {
  const digest = reader.only('messageDigest', 'signature').at('messageDigest').only('algorithm', 'digest');
  const hash = hashOfName(digest.at('algorithm').string()) ?? digest.at('algorithm').fail('SHA2_256, SHA2_384 or SHA2_512');
  return { kind: 'message', digest: readBytes(digest.at('digest'), { length: hashLength(hash) }), signature: readSignature(reader.at('signature')) };
}

function readDsse(reader: Reader): DsseContent {
  const payloadType = reader.only('payload', 'payloadType', 'signatures').at('payloadType').string();
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) {
    throw new StepsealError('TYPE_MISMATCH', 'the envelope holds another type of payload', { expected: IN_TOTO_PAYLOAD_TYPE, found: payloadType });
  }
  const signatures = reader.at('signatures').array();
  if (signatures.length !== 1) reader.at('signatures').fail('exactly one signature');
  const signature = signatures[0]!.only('sig', 'keyid');
  // a hint that nothing authenticates: read for its type, then dropped
  signature.at('keyid').optional((keyid) => keyid.string());
  return { kind: 'dsse', payload: readBytes(reader.at('payload'), {}), payloadType, signature: readSignature(signature.at('sig')) };
}

function readSignature(reader: Reader): Uint8Array {
  return readBytes(reader, { max: MAX_SIGNATURE });
}
