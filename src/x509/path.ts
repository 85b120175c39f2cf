import { equalBytes } from '../base/bytes.ts';
import { isStepsealError, StepsealError, type Code } from '../base/errors.ts';
import { formatTime } from '../base/time.ts';
import { signatureAlgorithmOf } from '../der/algorithm.ts';
import type { Certificate } from './certificate.ts';
import { assertNamesPermitted } from './constraints.ts';
import { assertLeaf, authorityTrustDomain, identityOf, PURPOSE_EKUS, type Purpose } from './leaf.ts';
import { describeName } from './names.ts';
import { EKU, KEY_USAGE } from './oids.ts';
import { verifySignature } from './verify.ts';

export interface ChainRequest {
  readonly leaf: Certificate;
  /** in any order; those that do not belong to the path are ignored */
  readonly intermediates: readonly Certificate[];
  /** trust anchors: their own signatures are not checked, everything else is */
  readonly roots: readonly Certificate[];
  /** ms since the epoch; every certificate of the path must be valid then */
  readonly time: number;
  readonly purpose: Purpose;
  /** the trust domain that `roots` speak for */
  readonly trustDomain?: string;
}

const MAX_DEPTH = 10;
// a crafted set of cross-signed intermediates must not cost more than this
const MAX_SIGNATURE_CHECKS = 64;

// parsed certificates are immutable: authorities of trust material that is kept are checked once
const verified = new WeakMap<Certificate, WeakSet<Certificate>>();

interface Search {
  readonly request: ChainRequest;
  checks: number;
  /** why the first complete or promising path was refused */
  fault: StepsealError | undefined;
}

/**
 * RFC 5280 section 6 for the purpose: path, validity, basic constraints, path length, key usage, EKU of every issuer, URI name
 * constraints, critical extensions; and SPIFFE: the trust domain of the leaf is `trustDomain` and that of every authority in the
 * path that names one. Returns the path, leaf first, root last. Throws what assertLeaf throws, TRUST_DOMAIN_CA_MISMATCH,
 * ALG_NOT_ALLOWED, CERT_CRITICAL_UNKNOWN, CHAIN_EXPIRED, CHAIN_NOT_YET_VALID, CHAIN_NOT_CA, CHAIN_PATH_LENGTH, NAME_CONSTRAINT,
 * EXT_KEY_USAGE, CHAIN_UNTRUSTED.
 */
export function verifyCertificateChain(request: ChainRequest): Certificate[] {
  assertLeaf(request.leaf, request.purpose);
  const search: Search = { request, checks: 0, fault: undefined };
  if (request.purpose !== 'timestamping' && request.trustDomain !== undefined) {
    const { trustDomain, uri } = identityOf(request.leaf);
    if (trustDomain !== request.trustDomain) throw mismatch(request.trustDomain, uri);
  }
  const path = extend(search, [request.leaf]);
  if (path) return path;
  throw search.fault ?? fault('CHAIN_UNTRUSTED', 'no trusted issuer', describe(request.leaf), `issuer ${describeName(request.leaf.issuer)}`);
}

function extend(search: Search, chain: readonly Certificate[]): Certificate[] | undefined {
  const last = chain.at(-1)!;
  const { roots, intermediates } = search.request;
  if (chain.length >= MAX_DEPTH) {
    search.fault ??= fault('CHAIN_PATH_LENGTH', 'the path is too long', `at most ${MAX_DEPTH} certificates`);
    return undefined;
  }
  for (const root of roots) {
    if (!issued(search, root, last)) continue;
    const path = [...chain, root];
    try {
      validatePath(path, search.request);
      return path;
    } catch (error) {
      if (!isStepsealError(error)) throw error;
      search.fault ??= error;
    }
  }
  for (const candidate of intermediates) {
    if (chain.some((member) => equalBytes(member.der, candidate.der)) || !issued(search, candidate, last)) continue;
    const path = extend(search, [...chain, candidate]);
    if (path) return path;
  }
  return undefined;
}

function issued(search: Search, issuer: Certificate, subject: Certificate): boolean {
  if (!equalBytes(issuer.subject, subject.issuer) || equalBytes(issuer.der, subject.der)) return false;
  const { subjectKeyIdentifier } = issuer;
  const { authorityKeyIdentifier } = subject;
  if (subjectKeyIdentifier && authorityKeyIdentifier && !equalBytes(subjectKeyIdentifier, authorityKeyIdentifier)) return false;
  const needed = signatureAlgorithmOf(issuer.publicKey.algorithm);
  if (subject.signatureAlgorithm !== needed) {
    search.fault ??= fault('ALG_NOT_ALLOWED', 'the signature algorithm does not belong to the key of the issuer', needed, subject.signatureAlgorithm);
    return false;
  }
  if (verified.get(issuer)?.has(subject)) return true;
  if (search.checks++ >= MAX_SIGNATURE_CHECKS) throw fault('CHAIN_UNTRUSTED', 'too many possible paths', `at most ${MAX_SIGNATURE_CHECKS} signatures`);
  if (!verifySignature(issuer.spki, subject.signatureAlgorithm, subject.tbs, subject.signature)) return false;
  let subjects = verified.get(issuer);
  if (!subjects) verified.set(issuer, (subjects = new WeakSet()));
  subjects.add(subject);
  return true;
}

function validatePath(path: readonly Certificate[], request: ChainRequest): void {
  // CAs below the current one that count for its path length: self-issued ones do not (RFC 5280 section 6.1.4 (l))
  let below = 0;
  for (const [index, certificate] of path.entries()) {
    assertValidAt(certificate, request.time);
    const [unknown] = certificate.unknownCritical;
    if (unknown !== undefined) throw fault('CERT_CRITICAL_UNKNOWN', `a critical extension of ${describe(certificate)} is not processed`, 'known ones', unknown);
    if (index === 0) continue;
    assertAuthority(certificate, below);
    assertAuthorityPurpose(certificate, request.purpose);
    for (const lower of path.slice(0, index)) assertNamesPermitted(certificate, lower);
    if (request.purpose !== 'timestamping') assertTrustDomain(certificate, request);
    if (!equalBytes(certificate.subject, certificate.issuer)) below++;
  }
}

function assertValidAt(certificate: Certificate, time: number): void {
  if (time < certificate.notBefore) {
    throw fault('CHAIN_NOT_YET_VALID', `${describe(certificate)} is not valid yet`, `from ${formatTime(certificate.notBefore)}`, formatTime(time));
  }
  if (time > certificate.notAfter) {
    throw fault('CHAIN_EXPIRED', `${describe(certificate)} has expired`, `until ${formatTime(certificate.notAfter)}`, formatTime(time));
  }
}

function assertAuthority(certificate: Certificate, below: number): void {
  const constraints = certificate.basicConstraints;
  if (!constraints?.ca) throw fault('CHAIN_NOT_CA', `${describe(certificate)} is no authority`, 'basicConstraints with cA');
  if (((certificate.keyUsage?.bits ?? 0) & KEY_USAGE.keyCertSign) === 0) {
    throw fault('CHAIN_NOT_CA', `${describe(certificate)} may not sign certificates`, 'keyUsage with keyCertSign');
  }
  if (constraints.pathLength !== undefined && below > constraints.pathLength) {
    throw fault('CHAIN_PATH_LENGTH', `too many authorities below ${describe(certificate)}`, `at most ${constraints.pathLength}`, String(below));
  }
}

// EKU in an issuer limits what it may issue for, as every large verifier reads it
function assertAuthorityPurpose(certificate: Certificate, purpose: Purpose): void {
  const oids = certificate.extendedKeyUsage?.oids;
  if (!oids || oids.includes(EKU.any) || PURPOSE_EKUS[purpose].every((oid) => oids.includes(oid))) return;
  throw fault('EXT_KEY_USAGE', `${describe(certificate)} does not issue for ${purpose}`, PURPOSE_EKUS[purpose].join(', '), oids.join(', '));
}

function assertTrustDomain(authority: Certificate, { leaf }: ChainRequest): void {
  const trustDomain = authorityTrustDomain(authority);
  const id = identityOf(leaf);
  if (trustDomain !== undefined && trustDomain !== id.trustDomain) throw mismatch(trustDomain, id.uri);
}

function mismatch(trustDomain: string, uri: string): StepsealError {
  return fault('TRUST_DOMAIN_CA_MISMATCH', 'the authority speaks for another trust domain', `an ID in ${trustDomain}`, uri);
}

function describe(certificate: Certificate): string {
  return certificate.subjectAltName?.uris[0] ?? (describeName(certificate.subject) || 'the certificate');
}

function fault(code: Code, message: string, expected: string, found?: string): StepsealError {
  return new StepsealError(code, message, { expected, ...(found !== undefined && { found }) });
}
