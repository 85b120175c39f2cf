import { join } from 'node:path';
import { equalBytes } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import type { Rng, Signer } from '../base/ports.ts';
import { formatTime } from '../base/time.ts';
import { certifyAuthority, pastHalfLife, type Authority, type AuthorityKind } from '../ca/authority.ts';
import type { Certificate } from '../x509/certificate.ts';
import { authorityTrustDomain } from '../x509/leaf.ts';
import { lintCertificate } from '../x509/lint.ts';
import { verifySignature } from '../x509/verify.ts';
import { readCertificates, writeCertificates } from './certificates.ts';

/** Authorities that live in files. */
export type StoredKind = Exclude<AuthorityKind, 'svid-ca'>;

/** A key with every certificate that it has had, oldest first: a renewed authority keeps its key and its name. */
export interface CertifiedKey {
  readonly kind: StoredKind;
  readonly signer: Signer;
  readonly issuer: Authority | undefined;
  readonly authorities: readonly Authority[];
}

interface Making {
  readonly folder: string;
  readonly trustDomain: string;
  readonly rng: Rng;
  /** ms since the epoch */
  readonly now: number;
}

/**
 * A key with the certificates of `<kind>.crt`, which is made where it is not there: the caller has checked that it may
 * be. Throws KEY_FOREIGN when the two, the trust domain or the issuer do not fit together, CERT_PROFILE, KEY_INVALID.
 */
export async function openCertifiedKey(kind: StoredKind, signer: Signer, issuer: Authority | undefined, making: Making): Promise<CertifiedKey> {
  const path = certificatePath(making.folder, kind);
  const certificates = await readCertificates(path);
  if (certificates === undefined) return certify({ kind, signer, issuer, authorities: [] }, making);
  for (const certificate of certificates) assertFits(certificate, { kind, signer, issuer, path, ...making });
  return { kind, signer, issuer, authorities: certificates.map((certificate) => ({ certificate, signer })) };
}

/** The same key with one more certificate, when the newest one is past half of its life or not valid now. */
export async function renewCertifiedKey(key: CertifiedKey, making: Making): Promise<CertifiedKey> {
  const newest = newestAt(key, making.now);
  return newest === undefined || pastHalfLife(newest.certificate, making.now) ? certify(key, making) : key;
}

/** The newest authority that is valid at `now`, the same object at every call. Throws CA_EXPIRED. */
export function authorityAt(key: CertifiedKey, now: number): Authority {
  const newest = newestAt(key, now);
  if (newest !== undefined) return newest;
  const last = key.authorities.at(-1)!.certificate;
  throw new StepsealError('CA_EXPIRED', `no certificate of the ${key.kind} is valid now`, {
    expected: `${formatTime(last.notBefore)} to ${formatTime(last.notAfter)}`,
    found: formatTime(now),
  });
}

export function keyPath(folder: string, name: string): string {
  return join(folder, `${name}.key`);
}

export function certificatePath(folder: string, name: string): string {
  return join(folder, `${name}.crt`);
}

function newestAt(key: CertifiedKey, now: number): Authority | undefined {
  return key.authorities.findLast(({ certificate }) => certificate.notBefore <= now && now <= certificate.notAfter);
}

async function certify(key: CertifiedKey, { folder, trustDomain, rng, now }: Making): Promise<CertifiedKey> {
  const { kind, signer, issuer } = key;
  const authorities = [...key.authorities, await certifyAuthority(kind, { trustDomain, signer, now, rng, ...(issuer && { issuer }) })];
  await writeCertificates(certificatePath(folder, kind), authorities.map(({ certificate }) => certificate));
  return { ...key, authorities };
}

function assertFits(
  certificate: Certificate,
  { kind, signer, issuer, path, folder, trustDomain }: Omit<CertifiedKey, 'authorities'> & { readonly path: string; readonly folder: string; readonly trustDomain: string },
): void {
  const foreign = (what: string, expected: string, found?: string): StepsealError =>
    new StepsealError('KEY_FOREIGN', `${path} ${what}`, { expected, ...(found !== undefined && { found }) });
  if (!equalBytes(certificate.spki, signer.spki)) throw foreign('is of another key', `the certificate of ${keyPath(folder, kind)}`);
  const by = issuer?.certificate ?? certificate;
  const issued = equalBytes(certificate.issuer, by.subject) && verifySignature(by.spki, certificate.signatureAlgorithm, certificate.tbs, certificate.signature);
  if (!issued) throw foreign('is by another issuer', issuer ? 'a certificate by the root in this folder' : 'a certificate by its own key');
  lintCertificate(certificate, kind);
  const found = kind === 'tsa' ? trustDomain : authorityTrustDomain(certificate);
  if (found !== trustDomain) throw foreign('is of another trust domain', trustDomain, found);
}
