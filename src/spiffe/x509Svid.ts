import { StepsealError } from '../base/errors.ts';
import { parseSpiffeId, type SpiffeId } from './id.ts';

/**
 * The identity of a leaf certificate from its URI SANs: exactly one (X509-SVID section 2), with a path (section 5.2).
 * Throws SAN_MULTIPLE_URI, SPIFFE_ID_INVALID.
 */
export function leafId(uris: readonly string[]): SpiffeId {
  const id = onlyId(uris);
  if (id === undefined) throw new StepsealError('SPIFFE_ID_INVALID', 'the certificate has no SPIFFE ID', { expected: 'exactly one URI SAN' });
  if (id.path === '') throw new StepsealError('SPIFFE_ID_INVALID', 'a leaf certificate with the ID of a trust domain', { expected: 'an ID with a path', found: id.uri });
  return id;
}

/**
 * The identity of a signing certificate, where it has one: without a path (X509-SVID section 3.2).
 * Throws SAN_MULTIPLE_URI, SPIFFE_ID_INVALID.
 */
export function authorityId(uris: readonly string[]): SpiffeId | undefined {
  const id = onlyId(uris);
  if (id !== undefined && id.path !== '') throw new StepsealError('SPIFFE_ID_INVALID', 'a CA certificate with the ID of a workload', { expected: 'an ID without a path', found: id.uri });
  return id;
}

function onlyId(uris: readonly string[]): SpiffeId | undefined {
  if (uris.length > 1) throw new StepsealError('SAN_MULTIPLE_URI', 'the certificate has more than one URI SAN', { expected: 'exactly one', found: uris.join(', ') });
  return uris[0] === undefined ? undefined : parseSpiffeId(uris[0]);
}
