import { StepsealError } from '../base/errors.ts';
import { equalBytes } from '../base/bytes.ts';
import type { SignatureAlgorithm } from '../base/ports.ts';
import { parseSignatureAlgorithm } from '../der/algorithm.ts';
import { bytesOf, fields, onlyChild, parseDer, type DerNode } from '../der/read.ts';
import { spkiOf, type Spki } from '../der/spki.ts';
import { contextConstructed, TAG } from '../der/tags.ts';
import { asBitString, asSmallInteger, asTime, integerBytes } from '../der/values.ts';
import { parseExtensions, type Extension, type KnownExtensions } from './extensionsRead.ts';
import { assertName, isEmptyName } from './names.ts';

/** A parsed certificate; all byte arrays are views of `der`, which must not be changed. */
export interface Certificate extends KnownExtensions {
  readonly der: Uint8Array;
  /** TBSCertificate: what `signature` is over */
  readonly tbs: Uint8Array;
  readonly version: 3;
  /** content octets of the INTEGER: positive, at most 20 */
  readonly serial: Uint8Array;
  /** Name, DER */
  readonly issuer: Uint8Array;
  /** Name, DER */
  readonly subject: Uint8Array;
  /** ms since the epoch; valid from this moment to `notAfter`, both included */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER */
  readonly spki: Uint8Array;
  readonly publicKey: Spki;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly extensions: readonly Extension[];
  /** critical extensions that nothing here processes; a path with one is refused */
  readonly unknownCritical: readonly string[];
}

const MAX_CERTIFICATE = 64 * 1024;
const MAX_SERIAL = 20;

/**
 * An X.509 v3 certificate (RFC 5280 section 4.1) from DER. Strict: minimal lengths, no trailing bytes, no duplicate extensions,
 * both algorithm fields equal, serial positive and at most 20 octets. The signature is not checked here.
 * Throws DER_INVALID, CERT_INVALID, or ALG_NOT_ALLOWED for SHA-1, RSA below 2048 bits, curves other than P-256, P-384, P-521.
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_CERTIFICATE) throw invalid('the certificate is too large', `at most ${MAX_CERTIFICATE} bytes`, `${der.length} bytes`);
  const outer = fields(parseDer(der), 'Certificate');
  const tbsNode = outer.next(TAG.sequence, 'tbsCertificate');
  const algorithmNode = outer.next(TAG.sequence, 'signatureAlgorithm');
  const signatureAlgorithm = parseSignatureAlgorithm(algorithmNode, 'signatureAlgorithm');
  const signature = asBitString(outer.next(TAG.bitString, 'signatureValue'), 'signatureValue');
  outer.end();

  const tbs = fields(tbsNode, 'tbsCertificate');
  const version = tbs.optional(contextConstructed(0));
  if (!version || asSmallInteger(onlyChild(version, 'version'), 'version') !== 2) throw invalid('the certificate is not of version 3', 'v3');
  const serial = integerBytes(tbs.next(TAG.integer, 'serialNumber'), 'serialNumber');
  if (serial[0]! >= 0x80 || serial.length > MAX_SERIAL || (serial.length === 1 && serial[0] === 0)) throw invalid('serialNumber', 'positive, at most 20 octets');
  if (!equalBytes(bytesOf(tbs.next(TAG.sequence, 'signature')), bytesOf(algorithmNode))) {
    throw invalid('the certificate names two signature algorithms', 'equal algorithms inside and outside (RFC 5280 section 4.1.1.2)');
  }
  const issuer = nameOf(tbs.next(TAG.sequence, 'issuer'), 'issuer');
  if (isEmptyName(issuer)) throw invalid('the issuer is empty', 'a distinguished name (RFC 5280 section 4.1.2.4)');
  const validity = fields(tbs.next(TAG.sequence, 'validity'), 'validity');
  const notBefore = asTime(validity.any('notBefore'), 'notBefore');
  const notAfter = asTime(validity.any('notAfter'), 'notAfter');
  validity.end();
  const subject = nameOf(tbs.next(TAG.sequence, 'subject'), 'subject');
  const spkiNode = tbs.next(TAG.sequence, 'subjectPublicKeyInfo');
  const spki = bytesOf(spkiNode);
  const publicKey = spkiOf(spkiNode, spki);
  const extensionsNode = tbs.optional(contextConstructed(3));
  // issuerUniqueID and subjectUniqueID are refused here too
  tbs.end();
  const { extensions, known, unknownCritical } = parseExtensions(extensionsNode && onlyChild(extensionsNode, 'extensions'));
  return {
    der, tbs: bytesOf(tbsNode), version: 3, serial, issuer, subject, notBefore, notAfter, spki, publicKey, signatureAlgorithm, signature,
    extensions, unknownCritical, ...known,
  };
}

function nameOf(node: DerNode, what: string): Uint8Array {
  assertName(node, what);
  return bytesOf(node);
}

/** The content of the extension with this OID, which stands at most once. */
export function extensionValue(certificate: Certificate, oid: string): Uint8Array | undefined {
  return certificate.extensions.find((extension) => extension.oid === oid)?.value;
}

function invalid(what: string, expected: string, found?: string): StepsealError {
  return new StepsealError('CERT_INVALID', what, { expected, ...(found !== undefined && { found }) });
}
