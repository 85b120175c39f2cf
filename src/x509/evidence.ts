import { StepsealError } from '../base/errors.ts';
import { fields, parseDer } from '../der/read.ts';
import { contextPrimitive, TAG } from '../der/tags.ts';
import { asOctetString, asUtf8 } from '../der/values.ts';
import { implicit, sequence, utf8String } from '../der/write.ts';
import { extensionValue, type Certificate } from './certificate.ts';
import { extension } from './extensions.ts';
import { EVIDENCE_OID } from './oids.ts';

/** How the key of a certificate was held when the CA certified it (DESIGN section 2). */
export type Custody = 'seal' | 'in-step' | 'bearer';

/** What the CA writes into a signing certificate from what it saw: docs/formats.md, "Evidence extension". */
export interface CertificateEvidence {
  readonly custody: Custody;
  /** id of the attempt that the certificate is bound to */
  readonly attempt?: string;
  /** SHA-256 of the attempt's canonical evidence */
  readonly digest?: Uint8Array;
}

const DIGEST_LENGTH = 32;
const CUSTODIES: readonly string[] = ['seal', 'in-step', 'bearer'];

/** Not critical, so that stock clients take the certificate. */
export function evidenceExtension(evidence: CertificateEvidence): Uint8Array {
  const parts = [utf8String(evidence.custody)];
  if (evidence.attempt !== undefined) parts.push(implicit(0, Buffer.from(evidence.attempt, 'utf8')));
  if (evidence.digest !== undefined) parts.push(implicit(1, evidence.digest));
  return extension(EVIDENCE_OID, false, sequence(...parts));
}

/** The evidence extension of a certificate, if it has one. Throws DER_INVALID, CERT_INVALID. */
export function certificateEvidence(certificate: Certificate): CertificateEvidence | undefined {
  const value = extensionValue(certificate, EVIDENCE_OID);
  if (!value) return undefined;
  const parts = fields(parseDer(value), 'evidence');
  const custody = asUtf8(parts.next(TAG.utf8String, 'custody'), 'custody');
  const attempt = parts.optional(contextPrimitive(0));
  const digest = parts.optional(contextPrimitive(1));
  parts.end();
  if (!isCustody(custody)) throw new StepsealError('CERT_INVALID', 'the evidence extension names an unknown custody', { expected: CUSTODIES.join(', '), found: custody });
  if (digest && digest.end - digest.body !== DIGEST_LENGTH) throw new StepsealError('CERT_INVALID', 'the evidence digest is not SHA-256');
  return {
    custody,
    ...(attempt && { attempt: asUtf8(attempt, 'attempt', attempt.tag) }),
    ...(digest && { digest: asOctetString(digest, 'digest', digest.tag) }),
  };
}

function isCustody(text: string): text is Custody {
  return CUSTODIES.includes(text);
}
