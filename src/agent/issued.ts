import { equalBytes } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { identityOf } from '../x509/leaf.ts';
import { verifyCertificateChain } from '../x509/path.ts';
import type { Trust } from './trust.ts';

/**
 * The leaf of what the server issued, after the checks that every peer of it will make: our key, our trust domain, a
 * path to a root we know, valid now. Throws SERVER_ANSWER_INVALID.
 */
export function checkIssued(chain: readonly Uint8Array[], spki: Uint8Array, trust: Trust, time: number): Certificate {
  try {
    const [leaf, ...intermediates] = chain.map(parseCertificate);
    if (leaf === undefined) throw invalid('no certificate');
    if (!equalBytes(leaf.spki, spki)) throw invalid('a certificate for another key');
    verifyCertificateChain({ leaf, intermediates, roots: trust.roots, time, purpose: 'svid', trustDomain: trust.trustDomain });
    return leaf;
  } catch (error) {
    if (!isStepsealError(error) || error.code === 'SERVER_ANSWER_INVALID') throw error;
    throw invalid(`${error.code}: ${error.message}`, error);
  }
}

/** The same for one that the server says is of `spiffeId`. */
export function checkIssuedTo(spiffeId: string, ...rest: Parameters<typeof checkIssued>): Certificate {
  const leaf = checkIssued(...rest);
  const { uri } = identityOf(leaf);
  if (uri !== spiffeId) throw invalid(`${uri} for ${spiffeId}`);
  return leaf;
}

function invalid(found: string, cause?: unknown): StepsealError {
  return new StepsealError('SERVER_ANSWER_INVALID', 'the server issued what cannot be used', { expected: 'an X509-SVID of this trust domain for the key of the request, valid now', found, cause });
}
