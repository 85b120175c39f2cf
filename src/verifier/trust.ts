import { equalBytes } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { signatureAlgorithmOf } from '../der/algorithm.ts';
import { parseSpki } from '../der/spki.ts';
import { type CertificateAuthority, type LogInstance, parseTrustedRoot } from '../envelope/trustedRoot.ts';
import type { Validity } from '../envelope/validity.ts';
import type { LogKey } from '../merkle/checkpoint.ts';
import { ctLogId, logKeyId } from '../merkle/keyId.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { verifySignature } from '../x509/verify.ts';

export interface TrustedLog {
  readonly key: LogKey;
  readonly validFor: Validity;
}

export interface TrustedChain {
  /** intermediate or leaf first, root last */
  readonly chain: readonly Certificate[];
  readonly validFor: Validity;
}

export interface TrustedCtLog {
  /** 32 bytes */
  readonly logId: Uint8Array;
  /** SubjectPublicKeyInfo, DER */
  readonly spki: Uint8Array;
  readonly validFor: Validity;
}

/** A trusted root, parsed and checked once; keep it for many verifications. */
export interface TrustMaterial {
  /** by the hex of the whole 32-byte log id */
  readonly logs: ReadonlyMap<string, TrustedLog>;
  readonly authorities: readonly TrustedChain[];
  readonly ctLogs: readonly TrustedCtLog[];
  readonly timestampAuthorities: readonly TrustedChain[];
}

/** Throws TRUSTED_ROOT_INVALID (also for a log id that is not that of its key), and the codes of parseTrustedRoot, parseCertificate, parseSpki. */
export function loadTrust(trustedRoot: Uint8Array): TrustMaterial {
  const root = parseTrustedRoot(trustedRoot);
  return {
    logs: new Map(root.tlogs.map((log) => [toHex(log.logId), trustedLog(log)])),
    authorities: root.certificateAuthorities.map(trustedChain),
    ctLogs: root.ctlogs.map(trustedCtLog),
    timestampAuthorities: root.timestampAuthorities.map(trustedChain),
  };
}

function trustedLog({ baseUrl, publicKey, logId, validFor }: LogInstance): TrustedLog {
  const origin = hostOf(baseUrl);
  assertLogId(baseUrl, logId, logKeyId(origin, publicKey));
  const algorithm = signatureAlgorithmOf(parseSpki(publicKey).algorithm);
  return { validFor, key: { origin, keyId: logId, verify: (data, signature) => verifySignature(publicKey, algorithm, data, signature) } };
}

function trustedCtLog({ baseUrl, publicKey, logId, validFor }: LogInstance): TrustedCtLog {
  assertLogId(baseUrl, logId, ctLogId(publicKey));
  return { logId, spki: publicKey, validFor };
}

function trustedChain({ certificates, validFor }: CertificateAuthority): TrustedChain {
  return { chain: certificates.map(parseCertificate), validFor };
}

function assertLogId(baseUrl: string, found: Uint8Array, expected: Uint8Array): void {
  if (equalBytes(found, expected)) return;
  throw new StepsealError('TRUSTED_ROOT_INVALID', `the id of log ${baseUrl} is not that of its key`, { expected: toHex(expected), found: toHex(found) });
}

/** The host of a log's baseUrl is the origin of its checkpoints; the rest of the URL means nothing here. */
function hostOf(baseUrl: string): string {
  const host = /^https?:\/\/([a-z0-9.-]+)(?::\d+)?(?:\/.*)?$/.exec(baseUrl)?.[1];
  if (host === undefined) throw new StepsealError('TRUSTED_ROOT_INVALID', 'the baseUrl of a log is no URL', { expected: 'https:// and a lower-case host', found: baseUrl });
  return host;
}
