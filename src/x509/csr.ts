import { isStepsealError, StepsealError } from '../base/errors.ts';
import { parseSignatureAlgorithm, signatureAlgorithmIdentifier, signatureAlgorithmOf } from '../der/algorithm.ts';
import { bytesOf, children, fields, parseDer, type DerNode } from '../der/read.ts';
import { parseSpki, spkiOf, type Spki } from '../der/spki.ts';
import { contextConstructed, TAG } from '../der/tags.ts';
import { asBitString, asOid, asSmallInteger } from '../der/values.ts';
import { bitString, explicit, integer, oid, sequence, set } from '../der/write.ts';
import { subjectAltName } from './extensions.ts';
import { parseExtensions } from './extensionsRead.ts';
import { assertName } from './names.ts';
import { verifySignature } from './verify.ts';

/** What a certificate request asks for; whoever issues decides what of it counts. */
export interface CertificateRequest {
  /** SubjectPublicKeyInfo, DER */
  readonly spki: Uint8Array;
  readonly publicKey: Spki;
  /** Name, DER */
  readonly subject: Uint8Array;
  readonly sanUris: readonly string[];
  readonly sanDns: readonly string[];
}

/** PKCS #9 extensionRequest, RFC 2985 section 5.4.2. */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const MAX_CSR = 16 * 1024;

/**
 * PKCS #10 (RFC 2986 section 4) from DER; the self-signature must verify, which proves possession of the key.
 * Throws CSR_INVALID, or ALG_NOT_ALLOWED for keys and algorithms that parseSpki and parseSignatureAlgorithm refuse.
 */
export function parseCsr(der: Uint8Array): CertificateRequest {
  if (der.length > MAX_CSR) throw new StepsealError('CSR_INVALID', 'the certificate request is too large', { expected: `at most ${MAX_CSR} bytes`, found: String(der.length) });
  try {
    return parse(der);
  } catch (cause) {
    if (!isStepsealError(cause) || cause.code === 'ALG_NOT_ALLOWED' || cause.code === 'CSR_INVALID') throw cause;
    throw new StepsealError('CSR_INVALID', `not a certificate request: ${cause.message}`, { cause });
  }
}

function parse(der: Uint8Array): CertificateRequest {
  const outer = fields(parseDer(der), 'CertificationRequest');
  const infoNode = outer.next(TAG.sequence, 'certificationRequestInfo');
  const algorithm = parseSignatureAlgorithm(outer.next(TAG.sequence, 'signatureAlgorithm'), 'signatureAlgorithm');
  const signature = asBitString(outer.next(TAG.bitString, 'signature'), 'signature');
  outer.end();

  const info = fields(infoNode, 'certificationRequestInfo');
  if (asSmallInteger(info.any('version'), 'version') !== 0) throw new StepsealError('CSR_INVALID', 'the request is not of version 1');
  const subjectNode = info.next(TAG.sequence, 'subject');
  assertName(subjectNode, 'subject');
  const spkiNode = info.next(TAG.sequence, 'subjectPKInfo');
  const spki = bytesOf(spkiNode);
  const publicKey = spkiOf(spkiNode, spki);
  const names = requestedNames(info.next(contextConstructed(0), 'attributes'));
  info.end();
  if (!verifySignature(spki, algorithm, bytesOf(infoNode), signature)) throw new StepsealError('CSR_INVALID', 'the request is not signed by its own key');
  return { spki, publicKey, subject: bytesOf(subjectNode), sanUris: names?.uris ?? [], sanDns: names?.dns ?? [] };
}

// the order of attributes is not checked: Go and others do not sort them as DER would
function requestedNames(attributes: DerNode): { uris: readonly string[]; dns: readonly string[] } | undefined {
  let requested: DerNode | undefined;
  for (const attribute of children(attributes, attributes.tag, 'attributes')) {
    const parts = fields(attribute, 'attribute');
    const type = asOid(parts.any('attribute type'), 'attribute type');
    const values = children(parts.any('attribute values'), TAG.set, 'attribute values');
    parts.end();
    if (type !== EXTENSION_REQUEST) continue;
    if (requested || values.length !== 1) throw new StepsealError('CSR_INVALID', 'extensions are requested more than once');
    requested = values[0];
  }
  return requested && parseExtensions(requested).known.subjectAltName;
}

/**
 * A request for `spki` (DER) with an empty subject and, if given, one URI name, as SPIRE's agents send it. `sign` is over the
 * data with the algorithm that signatureAlgorithmOf gives for the key.
 */
export async function buildCsr(spki: Uint8Array, sanUri: string | undefined, sign: (data: Uint8Array) => Uint8Array | Promise<Uint8Array>): Promise<Uint8Array> {
  const requested = sanUri === undefined ? [] : [sequence(oid(EXTENSION_REQUEST), set(sequence(subjectAltName({ uris: [sanUri] }, true))))];
  const info = sequence(integer(0), sequence(), spki, explicit(0, ...requested));
  const algorithm = signatureAlgorithmOf(parseSpki(spki).algorithm);
  return sequence(info, signatureAlgorithmIdentifier(algorithm), bitString(await sign(info)));
}
