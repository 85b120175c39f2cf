import { equalBytes } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { formatTimeMs } from '../base/time.ts';
import { isWithin } from '../envelope/validity.ts';
import type { SpiffeId } from '../spiffe/id.ts';
import { type IdentityPattern, matchIdentity } from '../spiffe/pattern.ts';
import type { Certificate } from '../x509/certificate.ts';
import { fulcioValue } from '../x509/fulcio.ts';
import { assertLeaf, identityOf } from '../x509/leaf.ts';
import { GENERAL_NAME } from '../x509/names.ts';
import { verifyCertificateChain } from '../x509/path.ts';
import { verifySct } from '../x509/sct.ts';
import { verifyTimestamp } from '../x509/timestamp.ts';
import type { OpenedBundle } from './opened.ts';
import type { TrustedChain, TrustMaterial } from './trust.ts';

/** Every timestamp of the bundle must be over its signature, by a trusted authority. Returns the times, ms. Throws TIMESTAMP_*, TSA_UNTRUSTED. */
export function trustedTimes({ bundle }: OpenedBundle, trust: TrustMaterial): number[] {
  if (bundle.timestamps.length === 0) throw new StepsealError('TIMESTAMP_MISSING', 'the bundle has no signed timestamp');
  return bundle.timestamps.map((response) => verifyTimestamp({ response, signatureBytes: bundle.content.signature, authorities: trust.timestampAuthorities }).time);
}

/** Path to a trusted authority at each of the times. Returns the issuer. Throws what verifyCertificateChain throws. */
export function trustedIssuer({ certificate }: OpenedBundle, trust: TrustMaterial, times: readonly number[]): Certificate {
  assertLeaf(certificate, 'signing');
  const { trustDomain } = identityOf(certificate);
  let fault: StepsealError | undefined;
  for (const authority of trust.authorities) {
    try {
      return issuerIn(authority, certificate, trustDomain, times);
    } catch (error) {
      if (!isStepsealError(error)) throw error;
      // an authority that does have issued it tells more than one that has not
      if (fault === undefined || equalBytes(authority.chain[0]!.subject, certificate.issuer)) fault = error;
    }
  }
  throw fault ?? new StepsealError('CHAIN_UNTRUSTED', 'the trusted root has no certificate authority');
}

function issuerIn({ chain, validFor }: TrustedChain, leaf: Certificate, trustDomain: string, times: readonly number[]): Certificate {
  const root = chain.at(-1)!;
  let issuer: Certificate | undefined;
  for (const time of times) {
    const path = verifyCertificateChain({ leaf, intermediates: chain.slice(0, -1), roots: [root], time, purpose: 'signing', trustDomain });
    if (!isWithin(validFor, time)) {
      throw new StepsealError('CHAIN_UNTRUSTED', 'the authority was not trusted at that time', {
        expected: `${formatTimeMs(validFor.start)} to ${validFor.end === undefined ? 'now' : formatTimeMs(validFor.end)}`,
        found: formatTimeMs(time),
      });
    }
    issuer = path[1]!;
  }
  assertConstrained(issuer!, trustDomain);
  return issuer!;
}

/** Our signing authorities may name their own trust domain only (DESIGN section 5); an unconstrained one could sign for any. Throws NAME_CONSTRAINT. */
function assertConstrained(issuer: Certificate, trustDomain: string): void {
  const uris = (issuer.nameConstraints?.permitted ?? []).filter(({ type }) => type === GENERAL_NAME.uri).map(({ host }) => host);
  if (uris.length === 1 && uris[0] === trustDomain) return;
  throw new StepsealError('NAME_CONSTRAINT', 'the signing authority is not limited to the trust domain', { expected: trustDomain, found: uris.join(', ') || 'no URI constraint' });
}

/** Throws SCT_INVALID. */
export function checkSct({ certificate }: OpenedBundle, issuer: Certificate, trust: TrustMaterial): string {
  verifySct(certificate, issuer.spki, trust.ctLogs);
  return 'the certificate was logged before it was used';
}

export type ExpectedIdentity = IdentityPattern | 'any';

/** Throws IDENTITY_MISMATCH, SPIFFE_ID_INVALID, SAN_MULTIPLE_URI. */
export function checkIdentity({ certificate }: OpenedBundle, expected: ExpectedIdentity): SpiffeId {
  const id = identityOf(certificate);
  // .24 is the subject of the token or of the attestation: the same identity, written by the same authority
  const subject = fulcioValue(certificate, 24);
  if (subject !== id.uri) throw new StepsealError('IDENTITY_MISMATCH', 'the certificate names two identities', { expected: id.uri, found: subject ?? 'no extension .24' });
  if (expected === 'any') return id;
  const { matched, nearest } = matchIdentity(expected, id);
  if (!matched) throw new StepsealError('IDENTITY_MISMATCH', `the signer is another one: ${nearest}`, { expected: expected.text, found: id.uri });
  return id;
}

/** Throws ISSUER_MISMATCH. Returns the issuer that the certificate names. */
export function checkIssuer({ certificate }: OpenedBundle, expected: string | undefined): string {
  const issuer = fulcioValue(certificate, 8);
  const old = fulcioValue(certificate, 1);
  if (issuer === undefined || issuer !== old) {
    throw new StepsealError('ISSUER_MISMATCH', 'the certificate does not name one issuer', { expected: 'equal extensions .1 and .8', found: `${old ?? 'none'} and ${issuer ?? 'none'}` });
  }
  if (expected !== undefined && issuer !== expected) throw new StepsealError('ISSUER_MISMATCH', 'the identity was vouched for by another issuer', { expected, found: issuer });
  return issuer;
}
