import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Rng, Signer } from '../base/ports.ts';
import { formatTime } from '../base/time.ts';
import { keyIdentifier } from '../der/spki.ts';
import { assertConstrainable } from '../spiffe/trustDomain.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
  uriNameConstraints,
} from '../x509/extensions.ts';
import { lintCertificate } from '../x509/lint.ts';
import { distinguishedName } from '../x509/names.ts';
import { EKU, KEY_USAGE } from '../x509/oids.ts';
import { assembleCertificate, tbsCertificate } from '../x509/template.ts';
import { verifySignature } from '../x509/verify.ts';
import { serialNumber } from './serial.ts';

/** A certificate and the key that it is about. */
export interface Authority {
  readonly certificate: Certificate;
  readonly signer: Signer;
}

/** The long-lived certificates of a trust domain (DESIGN §5); names as in x509/lint.ts. */
export type AuthorityKind = 'identity-root' | 'svid-ca' | 'signing-root' | 'signing-intermediate' | 'tsa';

interface Profile {
  readonly title: string;
  readonly issuer: AuthorityKind | undefined;
  /** ms */
  readonly life: number;
  readonly extensions: (trustDomain: string) => Uint8Array[];
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
/** for clocks that stand a little behind ours; SPIRE's value too */
export const BACKDATE = 10_000;

const CA_USAGE = KEY_USAGE.keyCertSign | KEY_USAGE.crlSign;
// X509-SVID section 3: the ID of a signing authority has no path
const ownId = (trustDomain: string): Uint8Array => subjectAltName({ uris: [`spiffe://${trustDomain}`] }, false);

const PROFILES: Record<AuthorityKind, Profile> = {
  'identity-root': {
    title: 'identity root',
    issuer: undefined,
    life: 10 * YEAR,
    extensions: (trustDomain) => [basicConstraints(true), keyUsage(CA_USAGE), ownId(trustDomain)],
  },
  'svid-ca': {
    title: 'SVID CA',
    issuer: 'identity-root',
    life: DAY,
    extensions: (trustDomain) => [basicConstraints(true, 0), keyUsage(CA_USAGE), ownId(trustDomain)],
  },
  // no EKU on a root: Fulcio's certificate specification
  'signing-root': {
    title: 'signing root',
    issuer: undefined,
    life: 10 * YEAR,
    extensions: (trustDomain) => [basicConstraints(true), keyUsage(CA_USAGE), ownId(trustDomain)],
  },
  'signing-intermediate': {
    title: 'signing intermediate',
    issuer: 'signing-root',
    life: YEAR,
    extensions: (trustDomain) => [
      basicConstraints(true, 0),
      keyUsage(CA_USAGE),
      extendedKeyUsage([EKU.codeSigning]),
      uriNameConstraints([trustDomain]),
      ownId(trustDomain),
    ],
  },
  tsa: {
    title: 'timestamp authority',
    issuer: 'signing-root',
    life: YEAR,
    // RFC 3161 section 2.3: this purpose alone, critical
    extensions: () => [basicConstraints(false), keyUsage(KEY_USAGE.digitalSignature), extendedKeyUsage([EKU.timeStamping], true)],
  },
};

/**
 * Certifies a long-lived key: a root by itself, the others by `issuer`. `now`: ms since the epoch. The certificate is
 * read back and linted under a signature that is none before the real key signs, and its signature is checked before
 * it is given out. Throws TRUST_DOMAIN_NOT_CONSTRAINABLE, CA_EXPIRED, CERT_PROFILE.
 */
export async function certifyAuthority(
  kind: AuthorityKind,
  options: { readonly trustDomain: string; readonly signer: Signer; readonly issuer?: Authority; readonly now: number; readonly rng: Rng },
): Promise<Authority> {
  const { trustDomain, signer, issuer, now } = options;
  assertConstrainable(trustDomain);
  const profile = PROFILES[kind];
  if ((profile.issuer === undefined) !== (issuer === undefined)) throw new StepsealError('INTERNAL', `the ${profile.title} is signed by ${profile.issuer ?? 'itself'}`);
  const identifier = keyIdentifier(signer.spki);
  // the number tells apart authorities of one name: renewed ones, and those of another installation
  const subject = distinguishedName({ organization: trustDomain, commonName: `Stepseal ${profile.title} ${toHex(identifier.subarray(0, 4))}` });
  const by = issuer?.signer ?? signer;
  const validity = validityWithin(issuer, now, profile.life);
  const tbs = tbsCertificate({
    serial: serialNumber(options.rng),
    algorithm: by.algorithm,
    issuer: issuer?.certificate.subject ?? subject,
    subject,
    ...validity,
    spki: signer.spki,
    extensions: [
      ...profile.extensions(trustDomain),
      subjectKeyIdentifier(identifier),
      ...(issuer ? [authorityKeyIdentifier(keyIdentifier(issuer.signer.spki))] : []),
    ],
  });
  lintCertificate(parseCertificate(assembleCertificate(tbs, by.algorithm, NO_SIGNATURE)), kind);
  const signature = await by.sign(tbs);
  if (!verifySignature(by.spki, by.algorithm, tbs, signature)) throw new StepsealError('INTERNAL', `the key of the ${profile.title}'s issuer signs wrongly`);
  return { certificate: parseCertificate(assembleCertificate(tbs, by.algorithm, signature)), signer };
}

/** Stands where a signature will, in a certificate that is only linted. */
export const NO_SIGNATURE = new Uint8Array(64);

/**
 * `life` ms from `now`, backdated, never outside the issuer's own validity. Throws CA_EXPIRED when the issuer is not
 * valid at `now`.
 */
export function validityWithin(issuer: Authority | undefined, now: number, life: number): { notBefore: number; notAfter: number } {
  const { notBefore, notAfter } = issuer?.certificate ?? { notBefore: 0, notAfter: Infinity };
  if (now < notBefore || now > notAfter) {
    throw new StepsealError('CA_EXPIRED', 'the authority is not valid now', {
      expected: `${formatTime(notBefore)} to ${formatTime(notAfter)}`,
      found: formatTime(now),
    });
  }
  return { notBefore: Math.max(now - BACKDATE, notBefore), notAfter: Math.min(now + life, notAfter) };
}

/** Whether more than half of a certificate's life is over: the time to renew it. */
export function pastHalfLife(certificate: Certificate, now: number): boolean {
  return now > certificate.notBefore + (certificate.notAfter - certificate.notBefore) / 2;
}
