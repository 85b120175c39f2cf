import { StepsealError } from '../base/errors.ts';
import { parseTrustDomain, trustDomainFault } from './trustDomain.ts';

export interface SpiffeId {
  /** host part, compared exactly */
  readonly trustDomain: string;
  /** '' for the trust domain's own ID, otherwise `/` and the segments */
  readonly path: string;
  readonly segments: readonly string[];
  /** the whole ID; equal IDs have equal texts, as the grammar allows one spelling only */
  readonly uri: string;
}

const SCHEME = 'spiffe://';
// SPIFFE-ID section 2.3
const MAX_BYTES = 2048;

/**
 * SPIFFE-ID section 2, on the raw text: a URL parser would remove tabs, resolve `..` and fold back-slashes.
 * One spelling only: lower-case scheme and trust domain, no percent-encoding. Throws SPIFFE_ID_INVALID.
 */
export function parseSpiffeId(text: string): SpiffeId {
  if (text.length > MAX_BYTES) throw invalid(text, `at most ${MAX_BYTES} bytes`);
  if (!text.startsWith(SCHEME)) throw invalid(text, `an ID that begins with ${SCHEME}`);
  const slash = text.indexOf('/', SCHEME.length);
  const trustDomain = slash === -1 ? text.slice(SCHEME.length) : text.slice(SCHEME.length, slash);
  const domainFault = trustDomainFault(trustDomain);
  if (domainFault !== undefined) throw invalid(text, domainFault);
  if (slash === -1) return { trustDomain, path: '', segments: [], uri: text };
  const path = text.slice(slash);
  const segments = path.slice(1).split('/');
  for (const segment of segments) {
    const fault = segmentFault(segment);
    if (fault !== undefined) throw invalid(text, fault);
  }
  return { trustDomain, path, segments, uri: text };
}

/** The ID of `segments` below a trust domain; none for the trust domain's own. Throws SPIFFE_ID_INVALID, TRUST_DOMAIN_INVALID. */
export function spiffeId(trustDomain: string, ...segments: readonly string[]): SpiffeId {
  const uri = `${SCHEME}${[parseTrustDomain(trustDomain), ...segments].join('/')}`;
  const id = parseSpiffeId(uri);
  // a segment with a slash inside would name another identity
  if (id.segments.length !== segments.length) throw invalid(uri, 'segments without a slash');
  return id;
}

/** What is wrong with a path segment, in words of what is expected; undefined when it is right. SPIFFE-ID section 2.2. */
export function segmentFault(segment: string): string | undefined {
  if (segment === '') return 'no empty path segment and no slash at the end';
  if (segment === '.' || segment === '..') return 'no segment . or ..';
  return /^[A-Za-z0-9._-]+$/.test(segment) ? undefined : 'path segments of letters, digits, dot, dash and underscore';
}

function invalid(found: string, expected: string): StepsealError {
  return new StepsealError('SPIFFE_ID_INVALID', 'not a SPIFFE ID', { expected, found: JSON.stringify(found) });
}
