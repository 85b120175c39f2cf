import { StepsealError } from '../base/errors.ts';
import { bytesOf, children, contentOf, fields, parseDer, parseWithin, type DerNode } from '../der/read.ts';
import { contextConstructed, contextPrimitive, TAG } from '../der/tags.ts';
import { asBoolean, asNamedBits, asOctetString, asOid, asSmallInteger } from '../der/values.ts';
import { parseNameConstraints, type NameConstraints } from './nameConstraints.ts';
import { parseGeneralNames, type GeneralNames } from './names.ts';
import { EXTENSION } from './oids.ts';

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** content of extnValue */
  readonly value: Uint8Array;
}

/** The extensions of RFC 5280 section 4.2.1 that path validation and profiles look at. */
export interface KnownExtensions {
  readonly basicConstraints?: { readonly critical: boolean; readonly ca: boolean; readonly pathLength?: number };
  /** `bits` as in KEY_USAGE */
  readonly keyUsage?: { readonly critical: boolean; readonly bits: number };
  readonly extendedKeyUsage?: { readonly critical: boolean; readonly oids: readonly string[] };
  readonly subjectAltName?: GeneralNames & { readonly critical: boolean };
  readonly subjectKeyIdentifier?: Uint8Array;
  /** keyIdentifier alone; issuer and serial forms are skipped */
  readonly authorityKeyIdentifier?: Uint8Array;
  readonly nameConstraints?: NameConstraints & { readonly critical: boolean };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const MAX_EXTENSIONS = 64;

/** The content of `[3] EXPLICIT Extensions`. Throws DER_INVALID, CERT_INVALID. */
export function parseExtensions(node: DerNode | undefined): { extensions: Extension[]; known: KnownExtensions; unknownCritical: string[] } {
  const extensions: Extension[] = [];
  const known: Mutable<KnownExtensions> = {};
  const unknownCritical: string[] = [];
  const entries = node ? children(node, TAG.sequence, 'extensions') : [];
  if ((node && entries.length === 0) || entries.length > MAX_EXTENSIONS) {
    throw new StepsealError('CERT_INVALID', 'the extensions are empty or too many', { expected: `1 to ${MAX_EXTENSIONS}`, found: String(entries.length) });
  }
  for (const entry of entries) {
    const extension = parseExtension(entry);
    if (extensions.some((earlier) => earlier.oid === extension.oid)) {
      throw new StepsealError('CERT_INVALID', 'an extension stands twice', { expected: 'each once (RFC 5280 section 4.2)', found: extension.oid });
    }
    extensions.push(extension);
    if (!decode(extension, known) && extension.critical) unknownCritical.push(extension.oid);
  }
  return { extensions, known, unknownCritical };
}

function parseExtension(entry: DerNode): Extension {
  const parts = fields(entry, 'extension');
  const oid = asOid(parts.any('extnID'), 'extnID');
  const flag = parts.optional(TAG.boolean);
  const critical = flag !== undefined && asBoolean(flag, 'critical');
  // DEFAULT FALSE is not encoded in DER
  if (flag && !critical) throw new StepsealError('DER_INVALID', 'an extension encodes the default of critical');
  const value = asOctetString(parts.any('extnValue'), 'extnValue');
  parts.end();
  return { oid, critical, value };
}

/** Fills in `known`; false for an extension that is not processed. */
function decode({ oid, critical, value }: Extension, known: Mutable<KnownExtensions>): boolean {
  switch (oid) {
    case EXTENSION.basicConstraints:
      known.basicConstraints = { critical, ...basicConstraints(value) };
      return true;
    case EXTENSION.keyUsage:
      known.keyUsage = { critical, bits: asNamedBits(parseDer(value), 'keyUsage') };
      return true;
    case EXTENSION.extendedKeyUsage:
      known.extendedKeyUsage = { critical, oids: keyPurposes(value) };
      return true;
    case EXTENSION.subjectAltName:
      known.subjectAltName = { critical, ...subjectAltName(value) };
      return true;
    case EXTENSION.nameConstraints:
      known.nameConstraints = { critical, ...parseNameConstraints(value) };
      return true;
    case EXTENSION.subjectKeyIdentifier:
      known.subjectKeyIdentifier = asOctetString(parseDer(value), 'subjectKeyIdentifier');
      return true;
    case EXTENSION.authorityKeyIdentifier: {
      const identifier = authorityKeyIdentifier(value);
      if (identifier) known.authorityKeyIdentifier = identifier;
      return true;
    }
    default:
      return false;
  }
}

function basicConstraints(value: Uint8Array): { ca: boolean; pathLength?: number } {
  const parts = fields(parseDer(value), 'basicConstraints');
  const flag = parts.optional(TAG.boolean);
  const ca = flag !== undefined && asBoolean(flag, 'cA');
  if (flag && !ca) throw new StepsealError('DER_INVALID', 'basicConstraints encodes the default of cA');
  const length = parts.optional(TAG.integer);
  parts.end();
  if (!length) return { ca };
  if (!ca) throw new StepsealError('CERT_INVALID', 'a path length in a certificate that is not a CA', { expected: 'none (RFC 5280 section 4.2.1.9)' });
  return { ca, pathLength: asSmallInteger(length, 'pathLenConstraint') };
}

function keyPurposes(value: Uint8Array): string[] {
  const oids = children(parseDer(value), TAG.sequence, 'extKeyUsage').map((node) => asOid(node, 'extKeyUsage'));
  if (oids.length === 0) throw new StepsealError('CERT_INVALID', 'extKeyUsage is empty', { expected: 'one or more purposes' });
  return oids;
}

function subjectAltName(value: Uint8Array): GeneralNames {
  const node = parseWithin(value, TAG.sequence, 'subjectAltName');
  if (node.body === node.end) throw new StepsealError('CERT_INVALID', 'subjectAltName is empty', { expected: 'one or more names' });
  return parseGeneralNames(node, 'subjectAltName');
}

function authorityKeyIdentifier(value: Uint8Array): Uint8Array | undefined {
  const parts = fields(parseDer(value), 'authorityKeyIdentifier');
  const identifier = parts.optional(contextPrimitive(0));
  const issuer = parts.optional(contextConstructed(1));
  if (issuer) parseGeneralNames(issuer, 'authorityCertIssuer', issuer.tag);
  const serial = parts.optional(contextPrimitive(2));
  parts.end();
  if ((issuer === undefined) !== (serial === undefined)) throw new StepsealError('CERT_INVALID', 'authorityKeyIdentifier has half of issuer and serial');
  return identifier && contentOf(identifier);
}

/** Bytes of an Extension with its OID, as they stand in the certificate; for rebuilding a TBS without one of them. */
export function rawExtensions(node: DerNode): { oid: string; bytes: Uint8Array }[] {
  return children(node, TAG.sequence, 'extensions').map((entry) => ({ oid: parseExtension(entry).oid, bytes: bytesOf(entry) }));
}
