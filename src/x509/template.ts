import type { SignatureAlgorithm } from '../base/ports.ts';
import { signatureAlgorithmIdentifier } from '../der/algorithm.ts';
import { bitString, explicit, integer, sequence, time } from '../der/write.ts';

export interface CertificateTemplate {
  /** big-endian, unsigned, 1 to 20 octets with the sign octet */
  readonly serial: Uint8Array;
  /** of the issuer's key */
  readonly algorithm: SignatureAlgorithm;
  /** Name, DER */
  readonly issuer: Uint8Array;
  /** Name, DER */
  readonly subject: Uint8Array;
  /** ms since the epoch, cut to the second */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER */
  readonly spki: Uint8Array;
  /** each an Extension, DER, written in this order */
  readonly extensions: readonly Uint8Array[];
}

const VERSION_3 = explicit(0, integer(2));

/** TBSCertificate, DER (RFC 5280 section 4.1). The parts are trusted; lintCertificate checks what came out. */
export function tbsCertificate(template: CertificateTemplate): Uint8Array {
  return sequence(
    VERSION_3,
    integer(template.serial),
    signatureAlgorithmIdentifier(template.algorithm),
    template.issuer,
    sequence(time(template.notBefore), time(template.notAfter)),
    template.subject,
    template.spki,
    explicit(3, sequence(...template.extensions)),
  );
}

/** Certificate, DER. `signature` as the Signer port gives it. */
export function assembleCertificate(tbs: Uint8Array, algorithm: SignatureAlgorithm, signature: Uint8Array): Uint8Array {
  return sequence(tbs, signatureAlgorithmIdentifier(algorithm), bitString(signature));
}
