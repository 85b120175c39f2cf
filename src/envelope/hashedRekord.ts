import { toBase64 } from '../base/base64.ts';
import { equalBytes, utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { type Json, parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { readBytes } from './fields.ts';
import { digestOf, hashLength, hashName, isKeyDetails, type KeyDetails } from './keyDetails.ts';

/** What a log entry says: this digest was signed so, by the key of this certificate. */
export interface HashedRekord {
  /** of the artifact, or of the PAE of an envelope; the hash follows from `keyDetails` */
  readonly digest: Uint8Array;
  /** ECDSA as DER */
  readonly signature: Uint8Array;
  /** leaf, DER */
  readonly certificate: Uint8Array;
  readonly keyDetails: KeyDetails;
}

export const HASHED_REKORD = { kind: 'hashedrekord', version: '0.0.2' } as const;

// an entry is at most 65,535 bytes (C2SP tlog-tiles)
const MAX_CERTIFICATE = 32 * 1024;
const MAX_SIGNATURE = 1024;

/**
 * The canonical entry of Rekor v2, hashedrekord 0.0.2: RFC 8785 JSON, UTF-8; the leaf of the log and the
 * `canonicalizedBody` of bundles. Nothing in it needs an escape, so the text is put together in canonical order.
 */
export function encodeHashedRekord({ digest, signature, certificate, keyDetails }: HashedRekord): Uint8Array {
  return utf8(
    `{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"${hashName(digestOf(keyDetails))}","digest":"${toBase64(digest)}"},` +
      `"signature":{"content":"${toBase64(signature)}","verifier":{"keyDetails":"${keyDetails}","x509Certificate":{"rawBytes":"${toBase64(certificate)}"}}}}}}`,
  );
}

/** Accepts exactly what encodeHashedRekord writes. Throws TLOG_PARSE, BASE64_NONCANONICAL and the codes of parseJson. */
export function parseHashedRekord(body: Uint8Array): HashedRekord {
  const reader = new Reader(parseJson(body, { size: 65_535 }), 'canonicalizedBody', 'TLOG_PARSE').only('apiVersion', 'kind', 'spec');
  const { kind, version } = HASHED_REKORD;
  if (reader.at('kind').string() !== kind || reader.at('apiVersion').string() !== version) reader.fail(`an entry of kind ${kind}, version ${version}`);
  const spec = reader.at('spec').only('hashedRekordV002').at('hashedRekordV002').only('data', 'signature');
  const entry = { digest: readBytes(spec.at('data').at('digest'), {}), ...readSignature(spec.at('signature')) };
  // also refuses another order, blanks, further members, and a hash that does not go with the key
  if (entry.digest.length !== hashLength(digestOf(entry.keyDetails)) || !equalBytes(encodeHashedRekord(entry), body)) {
    throw new StepsealError('TLOG_PARSE', 'the entry is not in canonical form', { expected: 'hashedrekord 0.0.2, RFC 8785 JSON' });
  }
  return entry;
}

/**
 * The body of POST /api/v2/log/entries, parsed JSON or its bytes: `{hashedRekordRequestV002: {digest, signature}}`. Only
 * certificates are accepted as verifiers, no bare keys: an entry must name an identity.
 * Throws LOG_REQUEST_INVALID, BASE64_NONCANONICAL and the codes of parseJson.
 */
export function parseHashedRekordRequest(request: Uint8Array | Json): HashedRekord {
  const json = request instanceof Uint8Array ? parseJson(request, { size: 128 * 1024 }) : request;
  const reader = new Reader(json, 'request', 'LOG_REQUEST_INVALID').only('hashedRekordRequestV002');
  const inner = reader.at('hashedRekordRequestV002').only('digest', 'signature');
  const signature = readSignature(inner.at('signature').only('content', 'verifier'));
  return { digest: readBytes(inner.at('digest'), { length: hashLength(digestOf(signature.keyDetails)) }), ...signature };
}

function readSignature(reader: Reader): Omit<HashedRekord, 'digest'> {
  const verifier = reader.at('verifier').only('x509Certificate', 'keyDetails');
  const name = verifier.at('keyDetails').string();
  const keyDetails = isKeyDetails(name) ? name : verifier.at('keyDetails').fail('the name of a kind of key that the log takes');
  return {
    signature: readBytes(reader.at('content'), { max: MAX_SIGNATURE }),
    certificate: readBytes(verifier.at('x509Certificate').only('rawBytes').at('rawBytes'), { max: MAX_CERTIFICATE }),
    keyDetails,
  };
}
