import { equalBytes } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { parseSpki } from '../der/spki.ts';
import { ctLogId, logKeyId } from '../merkle/keyId.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { keyDetailsOf } from '../envelope/keyDetails.ts';
import type { CertificateAuthority, LogInstance, TrustedRoot } from '../envelope/trustedRoot.ts';
import type { Validity } from '../envelope/validity.ts';

/** A log by its permanent name. */
export interface TrustedLog {
  /** a host name that no other log has ever had: origin of its checkpoints, host of its `baseUrl` */
  readonly origin: string;
  /** SubjectPublicKeyInfo, DER */
  readonly spki: Uint8Array;
  readonly validFor: Validity;
}

/** A chain of certificates, DER: signing intermediate or stamping leaf first, root last. */
export interface TrustedChain {
  readonly uri: string;
  readonly certificates: readonly Uint8Array[];
  readonly validFor: Validity;
}

export interface TrustInput {
  readonly trustDomain: string;
  readonly signing: readonly TrustedChain[];
  readonly timestamping: readonly TrustedChain[];
  readonly tlogs: readonly TrustedLog[];
  readonly ctlogs: readonly TrustedLog[];
}

/**
 * The trusted root that unmodified Sigstore clients take. They look logs up by the whole key ID, and want the name in a
 * checkpoint to be the host of `baseUrl`; sigstore-js wants the stamping leaf first. Throws TRUSTED_ROOT_INVALID and the
 * codes of parseCertificate for keys and certificates that would not work.
 */
export function trustedRoot({ trustDomain, signing, timestamping, tlogs, ctlogs }: TrustInput): TrustedRoot {
  const origins = [...tlogs, ...ctlogs].map(({ origin }) => origin);
  const twice = origins.find((origin, index) => origins.indexOf(origin) !== index);
  if (twice !== undefined) throw invalid('two logs have one origin', 'an origin that was never used before', twice);
  return {
    tlogs: tlogs.map((log) => logInstance(log, logKeyId(log.origin, log.spki))),
    certificateAuthorities: signing.map((chain) => authority(trustDomain, chain, true)),
    ctlogs: ctlogs.map((log) => logInstance(log, ctLogId(log.spki))),
    timestampAuthorities: timestamping.map((chain) => authority(trustDomain, chain, false)),
  };
}

// what a URL's host gives back unchanged; a blank would make it the origin of a Rekor v1 log
const HOST = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

function logInstance({ origin, spki, validFor }: TrustedLog, logId: Uint8Array): LogInstance {
  if (!HOST.test(origin)) throw invalid('the origin of a log is not a host name', 'lower-case DNS labels', origin);
  // a log signs its checkpoints whole, so its Ed25519 is the pure form
  const keyDetails = parseSpki(spki).algorithm === 'ed25519' ? 'PKIX_ED25519' : keyDetailsOf(spki);
  return { baseUrl: `https://${origin}`, publicKey: spki, keyDetails, validFor, logId };
}

function authority(trustDomain: string, { uri, certificates, validFor }: TrustedChain, signing: boolean): CertificateAuthority {
  const chain = certificates.map(parseCertificate);
  const [first] = chain;
  if (first === undefined) throw invalid('a chain is empty', 'at least a root', uri);
  for (const [index, { issuer }] of chain.entries()) {
    const next = chain[index + 1] ?? chain[index]!;
    if (!equalBytes(issuer, next.subject)) throw invalid('a chain is out of order', 'each certificate issued by the next, the last by itself', `${uri}, certificate ${index + 1}`);
  }
  const firstIsCa = first.basicConstraints?.ca === true;
  if (firstIsCa !== signing) throw invalid('a chain begins with the wrong certificate', signing ? 'an issuing CA' : 'the stamping leaf', uri);
  return { uri, subject: { organization: trustDomain, commonName: trustDomain }, certificates, validFor };
}

function invalid(message: string, expected: string, found: string): StepsealError {
  return new StepsealError('TRUSTED_ROOT_INVALID', message, { expected, found });
}
