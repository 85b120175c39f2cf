import { StepsealError } from '../base/errors.ts';

import { boolean, encode, ia5Content, implicit, implicitConstructed, integer, namedBits, nul, octetString, oid, sequence, utf8String } from '../der/write.ts';
import { GENERAL_NAME } from './names.ts';
import { EXTENSION, FULCIO } from './oids.ts';

const CRITICAL = boolean(true);

/** Extension (RFC 5280 section 4.1) around the DER of its value. */
export function extension(identifier: string, critical: boolean, value: Uint8Array): Uint8Array {
  return critical ? sequence(oid(identifier), CRITICAL, octetString(value)) : sequence(oid(identifier), octetString(value));
}

/** Critical (RFC 5280 section 4.2.1.9 for CAs; for leaves too, so that it is never skipped). `pathLength` for CAs only. */
export function basicConstraints(ca: boolean, pathLength?: number): Uint8Array {
  if (!ca) return extension(EXTENSION.basicConstraints, true, sequence());
  return extension(EXTENSION.basicConstraints, true, pathLength === undefined ? sequence(boolean(true)) : sequence(boolean(true), integer(pathLength)));
}

/** `bits` as in KEY_USAGE; critical (RFC 5280 section 4.2.1.3). */
export function keyUsage(bits: number): Uint8Array {
  return extension(EXTENSION.keyUsage, true, namedBits(bits));
}

/** Purposes as in EKU; critical is demanded for a timestamp authority only (RFC 3161 section 2.3). */
export function extendedKeyUsage(purposes: readonly string[], critical = false): Uint8Array {
  return extension(EXTENSION.extendedKeyUsage, critical, sequence(...purposes.map(oid)));
}

/** URIs first, then DNS names, ASCII; critical exactly when the subject is empty (RFC 5280 section 4.2.1.6). */
export function subjectAltName(names: { uris?: readonly string[]; dns?: readonly string[] }, critical: boolean): Uint8Array {
  const uris = (names.uris ?? []).map((uri) => encode(GENERAL_NAME.uri, ia5Content(uri)));
  const dns = (names.dns ?? []).map((name) => encode(GENERAL_NAME.dns, ia5Content(name)));
  return extension(EXTENSION.subjectAltName, critical, sequence(...uris, ...dns));
}

/** `identifier` from der/spki.ts keyIdentifier. */
export function subjectKeyIdentifier(identifier: Uint8Array): Uint8Array {
  return extension(EXTENSION.subjectKeyIdentifier, false, octetString(identifier));
}

/** The issuer's subject key identifier; issuer and serial forms are not written. */
export function authorityKeyIdentifier(identifier: Uint8Array): Uint8Array {
  return extension(EXTENSION.authorityKeyIdentifier, false, sequence(implicit(0, identifier)));
}

/** Critical; each host is a domain name, or `.name` for what is below it (RFC 5280 section 4.2.1.10). */
export function uriNameConstraints(permitted: readonly string[], excluded: readonly string[] = []): Uint8Array {
  const list = (number: number, hosts: readonly string[]): Uint8Array[] =>
    hosts.length === 0 ? [] : [implicitConstructed(number, ...hosts.map((host) => sequence(encode(GENERAL_NAME.uri, ia5Content(host)))))];
  return extension(EXTENSION.nameConstraints, true, sequence(...list(0, permitted), ...list(1, excluded)));
}

/** Marks a precertificate (RFC 6962 section 3.1). */
export function poison(): Uint8Array {
  return extension(EXTENSION.poison, true, nul());
}

/** `list` is a SignedCertificateTimestampList as x509/sct.ts encodes it (RFC 6962 section 3.3). */
export function sctList(list: Uint8Array): Uint8Array {
  return extension(EXTENSION.sctList, false, octetString(list));
}

const RAW_BELOW = 7;
const MAX_FULCIO = 24;

/** Fulcio extension `number`: 1 to 6 are the bytes of the text, 8 to 24 a DER UTF8String (fulcio docs/oid-info.md). */
export function fulcioExtension(number: number, text: string): Uint8Array {
  if (!Number.isInteger(number) || number < 1 || number > MAX_FULCIO || number === RAW_BELOW) {
    throw new StepsealError('CERT_INVALID', 'no such Fulcio extension', { expected: '1 to 6, 8 to 24', found: String(number) });
  }
  return extension(`${FULCIO}.${number}`, false, number < RAW_BELOW ? Buffer.from(text, 'utf8') : utf8String(text));
}

