import type { Clock, Rng } from '../base/ports.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import { evidenceExtension, type CertificateEvidence } from '../x509/evidence.ts';
import { extendedKeyUsage } from '../x509/extensions.ts';
import { lintCertificate } from '../x509/lint.ts';
import { EKU } from '../x509/oids.ts';
import { assembleCertificate } from '../x509/template.ts';
import { NO_SIGNATURE, validityWithin, type Authority } from './authority.ts';
import { checkSubject, leafFragments, leafWriter, type LeafFragments } from './leaf.ts';
import { serialNumber } from './serial.ts';

export interface SvidIssuer {
  readonly trustDomain: string;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly fragments: LeafFragments;
}

export interface X509Svid {
  /** leaf first, then the SVID CA; DER */
  readonly chain: readonly Uint8Array[];
  readonly leaf: Certificate;
}

// X509-SVID section 4.4: both, when the extension is there
const PURPOSES = extendedKeyUsage([EKU.serverAuth, EKU.clientAuth]);

/** `authority` of kind svid-ca; made anew when it is renewed. */
export function svidIssuer(options: { readonly trustDomain: string; readonly authority: Authority; readonly clock: Clock; readonly rng: Rng }): SvidIssuer {
  return { ...options, fragments: leafFragments(options.authority, PURPOSES) };
}

export interface SvidRequest {
  readonly spiffeId: string;
  readonly spki: Uint8Array;
  readonly seconds: number;
  /** of a step: the attempt that the SVID is bound to */
  readonly evidence?: CertificateEvidence | undefined;
}

/**
 * An X509-SVID for a workload, an agent or the server: `seconds` from now, backdated 10 s, not beyond its CA. The caller
 * has decided that the key's holder is `spiffeId`. Throws SPIFFE_ID_INVALID, TRUST_DOMAIN_CA_MISMATCH, DER_INVALID,
 * ALG_NOT_ALLOWED, CA_EXPIRED, CERT_PROFILE.
 */
export async function issueX509Svid(issuer: SvidIssuer, request: SvidRequest): Promise<X509Svid> {
  const { authority } = issuer;
  const { algorithm } = authority.signer;
  checkSubject(issuer.trustDomain, request.spiffeId, request.spki);
  const validity = validityWithin(authority, issuer.clock.now(), request.seconds * 1000);
  const tbs = leafWriter(issuer.fragments, { ...request, ...validity, serial: serialNumber(issuer.rng) })(request.evidence ? [evidenceExtension(request.evidence)] : []);
  lintCertificate(parseCertificate(assembleCertificate(tbs, algorithm, NO_SIGNATURE)), 'svid');
  const leaf = parseCertificate(assembleCertificate(tbs, algorithm, await authority.signer.sign(tbs)));
  return { leaf, chain: [leaf.der, authority.certificate.der] };
}
