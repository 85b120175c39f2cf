import { StepsealError } from '../base/errors.ts';

const MAX_BYTES = 255;

/** A trust domain name alone, without scheme (SPIFFE-ID section 2.1). Returns it unchanged. Throws TRUST_DOMAIN_INVALID. */
export function parseTrustDomain(text: string): string {
  const fault = trustDomainFault(text);
  if (fault !== undefined) throw new StepsealError('TRUST_DOMAIN_INVALID', 'not a trust domain name', { expected: fault, found: JSON.stringify(text) });
  return text;
}

/** What is wrong with a trust domain name, in words of what is expected; undefined when it is right. */
export function trustDomainFault(text: string): string | undefined {
  if (text.length > MAX_BYTES) return `a trust domain of at most ${MAX_BYTES} bytes`;
  return /^[a-z0-9._-]+$/.test(text) ? undefined : 'a trust domain of lower-case letters, digits, dot, dash and underscore';
}

/**
 * Refuses trust domains that a URI name constraint (RFC 5280 section 4.2.1.10) cannot hold: the constraint is a host
 * name, so labels of RFC 1123, and nothing that reads as an IPv4 address. Throws TRUST_DOMAIN_NOT_CONSTRAINABLE.
 */
export function assertConstrainable(trustDomain: string): void {
  const labels = trustDomain.split('.');
  const host = trustDomain.length <= 253 && labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  const numeric = /^[0-9]+$/.test(labels.at(-1)!);
  if (!host || numeric) {
    throw new StepsealError('TRUST_DOMAIN_NOT_CONSTRAINABLE', 'the trust domain cannot be written as a URI name constraint', {
      expected: 'a DNS name such as example.org: labels of 1 to 63 letters, digits and inner dashes, the last not a number',
      found: trustDomain,
    });
  }
}
