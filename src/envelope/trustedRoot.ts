import { toBase64 } from '../base/base64.ts';
import { utf8 } from '../base/bytes.ts';
import { canonicalJson, type JsonObject, parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { readBytes, readList } from './fields.ts';
import { readValidity, type Validity, validityJson } from './validity.ts';

/** A log, of signatures or of certificates. */
export interface LogInstance {
  /** its host is the origin of the checkpoints */
  readonly baseUrl: string;
  /** SubjectPublicKeyInfo, DER */
  readonly publicKey: Uint8Array;
  /** dev.sigstore.common.v1.PublicKeyDetails by name */
  readonly keyDetails: string;
  readonly validFor: Validity;
  /** signature log: the whole C2SP key ID; certificate log: SHA-256 of the key (RFC 6962) */
  readonly logId: Uint8Array;
  readonly operator?: string;
}

/** A chain that issues certificates or stamps time. */
export interface CertificateAuthority {
  readonly uri: string;
  readonly subject?: { readonly organization?: string; readonly commonName?: string };
  /** DER: leaf or intermediate first, root last */
  readonly certificates: readonly Uint8Array[];
  readonly validFor: Validity;
  readonly operator?: string;
}

/** dev.sigstore.trustroot.v1.TrustedRoot. */
export interface TrustedRoot {
  readonly tlogs: readonly LogInstance[];
  readonly certificateAuthorities: readonly CertificateAuthority[];
  readonly ctlogs: readonly LogInstance[];
  /** the stamping leaf is the first certificate of each */
  readonly timestampAuthorities: readonly CertificateAuthority[];
}

// the one form that sigstore-go takes
const MEDIA_TYPE = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';
const MAX_INSTANCES = 256;
const MAX_CHAIN = 16;
const MAX_DER = 64 * 1024;

/** trusted_root.json (sigstore_trustroot.proto), RFC 8785 JSON, UTF-8. */
export function encodeTrustedRoot(root: TrustedRoot): Uint8Array {
  return utf8(
    canonicalJson({
      mediaType: MEDIA_TYPE,
      tlogs: root.tlogs.map(logJson),
      certificateAuthorities: root.certificateAuthorities.map(authorityJson),
      ctlogs: root.ctlogs.map(logJson),
      timestampAuthorities: root.timestampAuthorities.map(authorityJson),
    }),
  );
}

function logJson(log: LogInstance): JsonObject {
  return {
    baseUrl: log.baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: toBase64(log.publicKey), keyDetails: log.keyDetails, validFor: validityJson(log.validFor) },
    logId: { keyId: toBase64(log.logId) },
    ...(log.operator !== undefined && { operator: log.operator }),
  };
}

function authorityJson(authority: CertificateAuthority): JsonObject {
  return {
    uri: authority.uri,
    ...(authority.subject !== undefined && { subject: { ...authority.subject } }),
    certChain: { certificates: authority.certificates.map((der) => ({ rawBytes: toBase64(der) })) },
    validFor: validityJson(authority.validFor),
    ...(authority.operator !== undefined && { operator: authority.operator }),
  };
}

/**
 * Any trusted root of version 0.1 whose validity intervals have a start; unknown members are refused. Keys and certificates
 * are not parsed here. Throws TRUSTED_ROOT_INVALID, BASE64_NONCANONICAL, TIME_INVALID and the codes of parseJson.
 */
export function parseTrustedRoot(bytes: Uint8Array): TrustedRoot {
  const reader = new Reader(parseJson(bytes), 'trustedRoot', 'TRUSTED_ROOT_INVALID');
  reader.only('mediaType', 'tlogs', 'certificateAuthorities', 'ctlogs', 'timestampAuthorities');
  if (reader.at('mediaType').string() !== MEDIA_TYPE) reader.at('mediaType').fail(MEDIA_TYPE);
  return {
    tlogs: readList(reader.at('tlogs'), MAX_INSTANCES).map(readLog),
    certificateAuthorities: readList(reader.at('certificateAuthorities'), MAX_INSTANCES).map(readAuthority),
    ctlogs: readList(reader.at('ctlogs'), MAX_INSTANCES).map(readLog),
    timestampAuthorities: readList(reader.at('timestampAuthorities'), MAX_INSTANCES).map(readAuthority),
  };
}

function readLog(reader: Reader): LogInstance {
  reader.only('baseUrl', 'hashAlgorithm', 'publicKey', 'logId', 'checkpointKeyId', 'operator');
  if (reader.at('hashAlgorithm').string() !== 'SHA2_256') reader.at('hashAlgorithm').fail('SHA2_256');
  const key = reader.at('publicKey').only('rawBytes', 'keyDetails', 'validFor');
  // the newer name of the same identifier wins where both stand (sigstore_trustroot.proto)
  const id = reader.at('checkpointKeyId').present ? reader.at('checkpointKeyId') : reader.at('logId');
  const operator = reader.at('operator').optional((member) => member.string());
  return {
    baseUrl: reader.at('baseUrl').string(),
    publicKey: readBytes(key.at('rawBytes'), { max: MAX_DER }),
    keyDetails: key.at('keyDetails').string(),
    validFor: readValidity(key.at('validFor')),
    logId: readBytes(id.only('keyId').at('keyId'), { length: 32 }),
    ...(operator !== undefined && { operator }),
  };
}

function readAuthority(reader: Reader): CertificateAuthority {
  reader.only('subject', 'uri', 'certChain', 'validFor', 'operator');
  const certificates = readList(reader.at('certChain').only('certificates').at('certificates'), MAX_CHAIN);
  if (certificates.length === 0) reader.at('certChain').fail('at least one certificate');
  const operator = reader.at('operator').optional((member) => member.string());
  const subject = reader.at('subject').optional(readSubject);
  return {
    uri: reader.at('uri').optional((member) => member.string()) ?? '',
    ...(subject !== undefined && { subject }),
    certificates: certificates.map((certificate) => readBytes(certificate.only('rawBytes').at('rawBytes'), { max: MAX_DER })),
    validFor: readValidity(reader.at('validFor')),
    ...(operator !== undefined && { operator }),
  };
}

function readSubject(reader: Reader): NonNullable<CertificateAuthority['subject']> {
  reader.only('organization', 'commonName');
  const organization = reader.at('organization').optional((member) => member.string());
  const commonName = reader.at('commonName').optional((member) => member.string());
  return { ...(organization !== undefined && { organization }), ...(commonName !== undefined && { commonName }) };
}
