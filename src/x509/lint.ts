import { equalBytes } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { keyIdentifier } from '../der/spki.ts';
import { certificateEvidence } from './evidence.ts';
import { extensionValue, type Certificate } from './certificate.ts';
import { fulcioValue } from './fulcio.ts';
import { authorityTrustDomain, identityOf } from './leaf.ts';
import { GENERAL_NAME, isEmptyName } from './names.ts';
import { EKU, EXTENSION, KEY_USAGE } from './oids.ts';

export type Profile = 'identity-root' | 'svid-ca' | 'svid' | 'signing-root' | 'signing-intermediate' | 'signing' | 'tsa';

interface Rules {
  readonly ca: boolean;
  readonly selfSigned: boolean;
  readonly pathLength?: number;
  readonly ekus: readonly string[];
  readonly keyUsage: number;
  /** more bits of key usage that may be set */
  readonly keyUsageAllowed: number;
  readonly maxLife: number;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
// leaves begin 10 s in the past
const BACKDATE = MINUTE;
const YEAR = 366 * DAY;
const { digitalSignature, keyEncipherment, keyAgreement, keyCertSign, crlSign } = KEY_USAGE;

const AUTHORITY = { ca: true, keyUsage: keyCertSign, keyUsageAllowed: crlSign } as const;
const LEAF = { ca: false, selfSigned: false, keyUsage: digitalSignature, keyUsageAllowed: 0 } as const;

/** DESIGN section 5, as docs/formats.md states it for outsiders. */
const PROFILES: Record<Profile, Rules> = {
  'identity-root': { ...AUTHORITY, selfSigned: true, ekus: [], maxLife: 10 * YEAR },
  'svid-ca': { ...AUTHORITY, selfSigned: false, pathLength: 0, ekus: [], maxLife: 90 * DAY },
  svid: { ...LEAF, keyUsageAllowed: keyEncipherment | keyAgreement, ekus: [EKU.serverAuth, EKU.clientAuth], maxLife: 60 * MINUTE + BACKDATE },
  'signing-root': { ...AUTHORITY, selfSigned: true, ekus: [], maxLife: 10 * YEAR },
  'signing-intermediate': { ...AUTHORITY, selfSigned: false, pathLength: 0, ekus: [EKU.codeSigning], maxLife: YEAR },
  signing: { ...LEAF, ekus: [EKU.codeSigning], maxLife: 10 * MINUTE + BACKDATE },
  tsa: { ...LEAF, ekus: [EKU.timeStamping], maxLife: YEAR },
};

const MIN_SERIAL = 8;

/**
 * Checks a certificate of ours against its profile; the CA calls it on a TBS with a throwaway signature before its key signs.
 * Throws CERT_PROFILE with the first rule that is broken, or the code of a name that is no SPIFFE ID.
 */
export function lintCertificate(certificate: Certificate, profile: Profile): void {
  const rules = PROFILES[profile];
  const rule = (holds: boolean, expected: string): void => {
    if (!holds) throw new StepsealError('CERT_PROFILE', `a certificate that breaks the profile ${profile}`, { expected });
  };
  const { keyUsage, basicConstraints, extendedKeyUsage } = certificate;
  rule(certificate.serial.length >= MIN_SERIAL, 'a serial number of 8 octets or more');
  rule(certificate.notAfter > certificate.notBefore, 'notAfter after notBefore');
  rule(certificate.notAfter - certificate.notBefore <= rules.maxLife, `a life of at most ${rules.maxLife / MINUTE} minutes`);
  rule(certificate.unknownCritical.every((oid) => profile === 'signing' && oid === EXTENSION.poison), 'no critical extension that verifiers do not know');
  rule(allOids(certificate).every(goCanRead), 'every OID component below 2^31');
  rule(certificate.subjectKeyIdentifier !== undefined && equalBytes(certificate.subjectKeyIdentifier, keyIdentifier(certificate.spki)), 'the subject key identifier of RFC 5280 method 1');
  rule(rules.selfSigned || certificate.authorityKeyIdentifier !== undefined, 'an authority key identifier');
  rule(equalBytes(certificate.issuer, certificate.subject) === rules.selfSigned, rules.selfSigned ? 'issuer = subject' : 'issuer other than subject');
  rule(keyUsage?.critical === true && (keyUsage.bits & ~rules.keyUsageAllowed) === rules.keyUsage, 'the key usage of the profile, critical');
  rule((basicConstraints?.ca ?? false) === rules.ca && (basicConstraints?.critical ?? true), `basicConstraints critical with cA ${rules.ca}`);
  rule(basicConstraints?.pathLength === rules.pathLength, `path length ${rules.pathLength ?? 'absent'}`);
  rule(sameSet(extendedKeyUsage?.oids ?? [], rules.ekus), `extended key usage exactly ${rules.ekus.join(', ') || 'absent'}`);
  if (rules.ca) lintAuthority(certificate, profile, rule);
  else lintLeaf(certificate, profile, rule);
}

type Rule = (holds: boolean, expected: string) => void;

function lintAuthority(certificate: Certificate, profile: Profile, rule: Rule): void {
  const trustDomain = authorityTrustDomain(certificate);
  rule(!isEmptyName(certificate.subject), 'a subject');
  rule(trustDomain !== undefined, 'the path-less SPIFFE ID of the trust domain');
  const constraints = certificate.nameConstraints;
  const needed = profile === 'signing-intermediate';
  if (!constraints) return rule(!needed, 'a URI name constraint');
  const [permitted, ...more] = constraints.permitted;
  const exact = permitted?.type === GENERAL_NAME.uri && permitted.host === trustDomain && more.length === 0 && constraints.excluded.length === 0;
  rule((needed || profile === 'svid-ca') && constraints.critical && exact, 'a critical URI name constraint that is the trust domain');
}

function lintLeaf(certificate: Certificate, profile: Profile, rule: Rule): void {
  const names = certificate.subjectAltName;
  rule(certificate.nameConstraints === undefined, 'no name constraints');
  if (profile === 'tsa') {
    rule(certificate.extendedKeyUsage?.critical === true, 'extended key usage critical (RFC 3161 section 2.3)');
    return rule(!isEmptyName(certificate.subject), 'a subject');
  }
  identityOf(certificate);
  const others = names!.emails.length + names!.ips.length + names!.directories.length + names!.others.length + names!.undecoded;
  rule(others === 0, 'no names but URI and DNS');
  rule(names!.critical === isEmptyName(certificate.subject), 'subjectAltName critical exactly when the subject is empty');
  if (profile === 'signing') lintSigning(certificate, rule);
}

function lintSigning(certificate: Certificate, rule: Rule): void {
  rule(isEmptyName(certificate.subject), 'an empty subject');
  rule(certificate.subjectAltName?.dns.length === 0, 'no DNS names');
  const [sct, poison] = [extensionValue(certificate, EXTENSION.sctList), extensionValue(certificate, EXTENSION.poison)];
  rule((sct === undefined) !== (poison === undefined), 'an embedded SCT or, in a precertificate, the poison');
  const issuer = fulcioValue(certificate, 8);
  rule(issuer !== undefined && fulcioValue(certificate, 1) === issuer, 'the issuer in extensions .1 and .8, equal');
  rule(fulcioValue(certificate, 24) !== undefined, 'the token subject in extension .24');
  rule(certificateEvidence(certificate) !== undefined, 'the evidence extension');
}

function allOids(certificate: Certificate): string[] {
  const others = certificate.subjectAltName?.others.map((other) => other.oid) ?? [];
  return [...certificate.extensions.map((each) => each.oid), ...(certificate.extendedKeyUsage?.oids ?? []), ...others];
}

// encoding/asn1 keeps components in 31 bits and refuses the whole certificate otherwise
function goCanRead(oid: string): boolean {
  return oid.split('.').every((part) => Number(part) < 2 ** 31);
}

function sameSet(found: readonly string[], expected: readonly string[]): boolean {
  return found.length === expected.length && expected.every((oid) => found.includes(oid));
}
