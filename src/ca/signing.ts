import { sha256 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import type { Clock, Rng, Signer } from '../base/ports.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import { evidenceExtension, type CertificateEvidence } from '../x509/evidence.ts';
import { extendedKeyUsage, fulcioExtension, poison, sctList } from '../x509/extensions.ts';
import { lintCertificate } from '../x509/lint.ts';
import { EKU } from '../x509/oids.ts';
import { assembleCertificate } from '../x509/template.ts';
import { NO_SIGNATURE, validityWithin, type Authority } from './authority.ts';
import { signSctList, type CtLog } from './ct.ts';
import { checkSubject, leafFragments, leafWriter, type LeafFragments } from './leaf.ts';
import { serialNumber } from './serial.ts';

/** Fulcio extensions that are written only where the platform has seen the value (DESIGN §3). */
export type AttestedExtension = 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18 | 19 | 20 | 21 | 22 | 23;

export interface SigningIssuer {
  readonly trustDomain: string;
  readonly authority: Authority;
  readonly ctLog: CtLog;
  /** the CT log's own key */
  readonly ctKey: Signer;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly fragments: LeafFragments;
  /** extensions .1 and .8 */
  readonly issuerExtensions: readonly Uint8Array[];
  /** SHA-256 of the issuer's SPKI */
  readonly issuerKeyHash: Uint8Array;
  /** SHA-256 of intermediate and root */
  readonly chainFingerprints: readonly Uint8Array[];
}

export interface SigningRequest {
  readonly spiffeId: string;
  readonly spki: Uint8Array;
  /** custody, attempt and evidence digest, as the CA saw them */
  readonly evidence: CertificateEvidence;
  readonly attested?: Readonly<Partial<Record<AttestedExtension, string>>>;
}

/** Fulcio's certificate specification: ten minutes. */
const LIFE = 600_000;
const PURPOSES = extendedKeyUsage([EKU.codeSigning]);
const POISON = poison();
/** stands where the SCT will, in a certificate that is only linted */
const NO_SCT = sctList(new Uint8Array(2));
const MAX_TEXT = 2048;

/** `authority` of kind signing-intermediate below `root`; `oidcIssuer` is the URL that verifiers match. */
export function signingIssuer(options: {
  readonly trustDomain: string;
  readonly authority: Authority;
  readonly root: Certificate;
  readonly oidcIssuer: string;
  readonly ctLog: CtLog;
  /** the CT log's own key */
  readonly ctKey: Signer;
  readonly clock: Clock;
  readonly rng: Rng;
}): SigningIssuer {
  const { authority, root, oidcIssuer, ...rest } = options;
  return {
    ...rest,
    authority,
    fragments: leafFragments(authority, PURPOSES),
    issuerExtensions: [fulcioExtension(1, oidcIssuer), fulcioExtension(8, oidcIssuer)],
    issuerKeyHash: sha256(authority.signer.spki),
    chainFingerprints: [sha256(authority.certificate.der), sha256(root.der)],
  };
}

/**
 * A signing certificate of ten minutes: precertificate, SCT of our CT log, final certificate (RFC 6962 sections 3.1 to
 * 3.3). What will be signed is read back and linted before the key signs. The caller has decided that the key's holder
 * is `spiffeId` and may sign. Throws SPIFFE_ID_INVALID, TRUST_DOMAIN_CA_MISMATCH, DER_INVALID, ALG_NOT_ALLOWED,
 * CA_EXPIRED, CERT_PROFILE, and what the log throws.
 */
export async function issueSigningCertificate(issuer: SigningIssuer, request: SigningRequest): Promise<Certificate> {
  const { authority, issuerKeyHash } = issuer;
  const { algorithm } = authority.signer;
  checkSubject(issuer.trustDomain, request.spiffeId, request.spki);
  const now = issuer.clock.now();
  const write = leafWriter(issuer.fragments, {
    serial: serialNumber(issuer.rng),
    ...validityWithin(authority, now, LIFE),
    spki: request.spki,
    spiffeId: request.spiffeId,
  });
  const own = [...issuer.issuerExtensions, ...attestedExtensions(request), fulcioExtension(24, request.spiffeId), evidenceExtension(request.evidence)];
  // precertificate and certificate are this one, with poison or with an SCT in place of the last extension
  lintCertificate(parseCertificate(assembleCertificate(write([...own, NO_SCT]), algorithm, NO_SIGNATURE)), 'signing');

  const precertTbs = write([...own, POISON]);
  const preCertificate = assembleCertificate(precertTbs, algorithm, await authority.signer.sign(precertTbs));
  const tbs = write(own);
  const { leafIndex, timestamp } = await issuer.ctLog.add({ timestamp: now, issuerKeyHash, tbs, preCertificate, chain: issuer.chainFingerprints });
  const scts = await signSctList(issuer.ctKey, { timestamp, issuerKeyHash, tbs, leafIndex });

  const finalTbs = write([...own, sctList(scts)]);
  return parseCertificate(assembleCertificate(finalTbs, algorithm, await authority.signer.sign(finalTbs)));
}

function attestedExtensions({ attested }: SigningRequest): Uint8Array[] {
  return Object.entries(attested ?? {}).map(([number, text]) => {
    if (text === '' || text.length > MAX_TEXT) {
      throw new StepsealError('CERT_PROFILE', `extension .${number} cannot be written`, { expected: `1 to ${MAX_TEXT} characters`, found: text });
    }
    return fulcioExtension(Number(number), text);
  });
}
