import { StepsealError, type Code } from '../base/errors.ts';
import { parseSpiffeId, type SpiffeId } from '../spiffe/id.ts';
import type { Certificate } from './certificate.ts';
import { isEmptyName } from './names.ts';
import { EKU, KEY_USAGE } from './oids.ts';

export type Purpose = 'svid' | 'signing' | 'timestamping';

/** EKUs that a purpose needs of the leaf and of every issuer that has the extension. */
export const PURPOSE_EKUS: Record<Purpose, readonly string[]> = {
  svid: [EKU.serverAuth, EKU.clientAuth],
  signing: [EKU.codeSigning],
  timestamping: [EKU.timeStamping],
};

/**
 * What an end certificate must be for its purpose, whoever issued it: X509-SVID sections 2 to 5, Fulcio's profile, RFC 3161
 * section 2.3. Throws LEAF_IS_CA, KEY_USAGE, EXT_KEY_USAGE, SAN_MULTIPLE_URI, SPIFFE_ID_INVALID, NAME_CONSTRAINT, CERT_INVALID.
 */
export function assertLeaf(leaf: Certificate, purpose: Purpose): void {
  if (leaf.basicConstraints?.ca) throw refused('LEAF_IS_CA', 'the end certificate is an authority', 'cA false');
  assertKeyUsage(leaf);
  assertPurpose(leaf, purpose);
  if (leaf.nameConstraints) throw refused('NAME_CONSTRAINT', 'name constraints in an end certificate', 'none (RFC 5280 section 4.2.1.10)');
  if (isEmptyName(leaf.subject) && !leaf.subjectAltName?.critical) {
    throw refused('CERT_INVALID', 'an empty subject without a critical subjectAltName', 'critical (RFC 5280 section 4.2.1.6)');
  }
  if (purpose !== 'timestamping') identityOf(leaf);
}

/** The SPIFFE ID of an SVID or a signing certificate: its one URI, with a path. Throws SAN_MULTIPLE_URI, SPIFFE_ID_INVALID. */
export function identityOf(leaf: Certificate): SpiffeId {
  const id = onlySpiffeId(leaf);
  if (id.path === '') throw refused('SPIFFE_ID_INVALID', 'the identity names a trust domain, not a workload', 'a path (X509-SVID section 5.2)', id.uri);
  return id;
}

/** The trust domain that an authority's certificate names, if it names one. Throws SAN_MULTIPLE_URI, SPIFFE_ID_INVALID. */
export function authorityTrustDomain(authority: Certificate): string | undefined {
  if ((authority.subjectAltName?.uris.length ?? 0) === 0) return undefined;
  const id = onlySpiffeId(authority);
  if (id.path !== '') throw refused('SPIFFE_ID_INVALID', 'the ID of an authority has a path', 'no path (X509-SVID section 3.2)', id.uri);
  return id.trustDomain;
}

function onlySpiffeId(certificate: Certificate): SpiffeId {
  const uris = certificate.subjectAltName?.uris ?? [];
  if (uris.length !== 1) throw refused('SAN_MULTIPLE_URI', 'the certificate has not exactly one URI name', 'one', String(uris.length));
  return parseSpiffeId(uris[0]!);
}

function assertKeyUsage(leaf: Certificate): void {
  const usage = leaf.keyUsage;
  if (!usage) throw refused('KEY_USAGE', 'key usage is missing', 'digitalSignature, critical');
  if (!usage.critical) throw refused('KEY_USAGE', 'key usage is not critical', 'critical (X509-SVID section 4.3)');
  if ((usage.bits & KEY_USAGE.digitalSignature) === 0) throw refused('KEY_USAGE', 'key usage has no digitalSignature', 'digitalSignature');
  if ((usage.bits & (KEY_USAGE.keyCertSign | KEY_USAGE.crlSign)) !== 0) throw refused('KEY_USAGE', 'an end certificate that may sign certificates or CRLs', 'neither');
}

function assertPurpose(leaf: Certificate, purpose: Purpose): void {
  const needed = PURPOSE_EKUS[purpose];
  const usage = leaf.extendedKeyUsage;
  const found = usage?.oids.join(', ') ?? 'none';
  if (purpose === 'svid') {
    // X509-SVID section 4.4: may be absent, but both when present
    if (usage && !needed.every((oid) => usage.oids.includes(oid))) throw refused('EXT_KEY_USAGE', 'not an X509-SVID', 'serverAuth and clientAuth', found);
    return;
  }
  if (usage?.oids.length !== 1 || usage.oids[0] !== needed[0]) {
    throw refused('EXT_KEY_USAGE', `not a certificate for ${purpose}`, `exactly ${purpose === 'signing' ? 'codeSigning' : 'timeStamping'}`, found);
  }
  if (purpose === 'timestamping' && !usage.critical) throw refused('EXT_KEY_USAGE', 'timeStamping is not critical', 'critical (RFC 3161 section 2.3)');
}

function refused(code: Code, message: string, expected: string, found?: string): StepsealError {
  return new StepsealError(code, message, { expected, ...(found !== undefined && { found }) });
}
