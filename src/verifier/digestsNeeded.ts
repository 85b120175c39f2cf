import { isStepsealError } from '../base/errors.ts';
import type { DigestName } from '../base/ports.ts';
import { digestOf, keyDetailsOf } from '../envelope/keyDetails.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { parseBundle } from '../envelope/bundle.ts';

/** Under which hashes the artifact must be known so that these bundles can be verified; SHA-256 always. What cannot be read needs none. */
export function digestsNeeded(bundles: readonly Uint8Array[]): DigestName[] {
  const needed = new Set<DigestName>(['sha256']);
  for (const bytes of bundles) {
    try {
      const { certificate, content } = parseBundle(bytes);
      if (content.kind === 'message') needed.add(digestOf(keyDetailsOf(parseCertificate(certificate).spki)));
    } catch (error) {
      if (!isStepsealError(error)) throw error;
    }
  }
  return [...needed];
}
