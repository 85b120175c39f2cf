import { hash } from 'node:crypto';
import { equalBytes } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import type { DigestName, SignatureAlgorithm } from '../base/ports.ts';
import { parseSignatureAlgorithm, signatureAlgorithmIdentifier } from '../der/algorithm.ts';
import { bytesOf, children, contentOf, fields, onlyChild, parseDer, type DerNode } from '../der/read.ts';
import { contextConstructed, TAG } from '../der/tags.ts';
import { asOctetString, asOid, asSetOf, asSmallInteger, asTime, integerBytes } from '../der/values.ts';
import { encode, explicit, implicitConstructed, integer, octetString, oid, sequence, set, sorted, time } from '../der/write.ts';
import { parseCertificate, type Certificate } from './certificate.ts';
import { hashIdentifier, parseHashIdentifier } from './imprint.ts';

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const TST_INFO = '1.2.840.113549.1.9.16.1.4';
const ATTRIBUTE = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  /** RFC 5035 section 3 */
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const;

/** RFC 5652 section 5.4 and RFC 5754: the digest of the content goes with the signature algorithm. */
const DIGESTS: Partial<Record<SignatureAlgorithm, DigestName>> = {
  'ecdsa-p256-sha256': 'sha256',
  'ecdsa-p384-sha384': 'sha384',
  'ecdsa-p521-sha512': 'sha512',
  'rsa-pkcs1-sha256': 'sha256',
};

function digestOf(algorithm: SignatureAlgorithm): DigestName {
  const digest = DIGESTS[algorithm];
  if (!digest) throw new StepsealError('ALG_NOT_ALLOWED', 'a signature algorithm that timestamps are not signed with', { expected: Object.keys(DIGESTS).join(', '), found: algorithm });
  return digest;
}

/**
 * The SET OF attributes that a timestamp's signature is over (RFC 5652 section 5.4): contentType, messageDigest, signingTime and
 * ESSCertIDv2 with issuer and serial (RFC 5816). `signingTime` in ms since the epoch; `certificate` is the authority's.
 */
export function signedAttributes(input: { tstInfo: Uint8Array; certificate: Certificate; algorithm: SignatureAlgorithm; signingTime: number }): Uint8Array {
  const { certificate } = input;
  const issuerSerial = sequence(sequence(explicit(4, certificate.issuer)), encode(TAG.integer, certificate.serial));
  // hashAlgorithm is left out: SHA-256 is its default
  const essCertId = sequence(octetString(hash('sha256', certificate.der, 'buffer')), issuerSerial);
  return set(
    attribute(ATTRIBUTE.contentType, oid(TST_INFO)),
    attribute(ATTRIBUTE.messageDigest, octetString(hash(digestOf(input.algorithm), input.tstInfo, 'buffer'))),
    attribute(ATTRIBUTE.signingTime, time(input.signingTime)),
    attribute(ATTRIBUTE.signingCertificateV2, sequence(sequence(essCertId))),
  );
}

function attribute(type: string, value: Uint8Array): Uint8Array {
  return sequence(oid(type), set(value));
}

/** ContentInfo with SignedData version 3 and one SignerInfo (RFC 5652 section 5, RFC 3161 section 2.4.2). `certificates` are embedded. */
export function signedData(input: {
  tstInfo: Uint8Array;
  signedAttributes: Uint8Array;
  signature: Uint8Array;
  algorithm: SignatureAlgorithm;
  certificate: Certificate;
  certificates: readonly Certificate[];
}): Uint8Array {
  const digest = hashIdentifier(digestOf(input.algorithm));
  const embedded = sorted(input.certificates.map((each) => each.der));
  const signerInfo = sequence(
    integer(1),
    sequence(input.certificate.issuer, encode(TAG.integer, input.certificate.serial)),
    digest,
    implicitConstructed(0, contentOf(parseDer(input.signedAttributes))),
    signatureAlgorithmIdentifier(input.algorithm),
    octetString(input.signature),
  );
  return sequence(
    oid(SIGNED_DATA),
    explicit(0, sequence(
      integer(3),
      set(digest),
      sequence(oid(TST_INFO), explicit(0, octetString(input.tstInfo))),
      ...(embedded.length === 0 ? [] : [implicitConstructed(0, ...embedded)]),
      set(signerInfo),
    )),
  );
}

/** A parsed timestamp token. */
export interface SignedTstInfo {
  /** TSTInfo, DER: what messageDigest is of */
  readonly content: Uint8Array;
  /** embedded; nothing is trusted because it stands here */
  readonly certificates: readonly Certificate[];
  /** Name, DER, and content octets of the serial: which certificate the signer says is its own */
  readonly signerIssuer: Uint8Array;
  readonly signerSerial: Uint8Array;
  readonly digest: DigestName;
  /** SET OF, DER: what the signature is over */
  readonly signedAttributes: Uint8Array;
  readonly messageDigest: Uint8Array;
  readonly certificateHash: { readonly hash: DigestName; readonly digest: Uint8Array };
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
}

const MAX_CERTIFICATES = 10;

/** Strict: one signer by issuer and serial, signed attributes, no CRLs, no unsigned attributes. Throws DER_INVALID, TIMESTAMP_INVALID, ALG_NOT_ALLOWED, CERT_INVALID. */
export function parseSignedData(node: DerNode): SignedTstInfo {
  const info = fields(node, 'ContentInfo');
  demand(asOid(info.any('contentType'), 'contentType') === SIGNED_DATA, 'a token that is not SignedData');
  const data = fields(onlyChild(info.next(contextConstructed(0), 'content'), 'content'), 'SignedData');
  info.end();
  demand(asSmallInteger(data.any('version'), 'version') === 3, 'SignedData of another version');
  const digests = asSetOf(data.any('digestAlgorithms'), 'digestAlgorithms');
  const encapsulated = fields(data.any('encapContentInfo'), 'encapContentInfo');
  demand(asOid(encapsulated.any('eContentType'), 'eContentType') === TST_INFO, 'a token whose content is not TSTInfo');
  const content = asOctetString(onlyChild(encapsulated.next(contextConstructed(0), 'eContent'), 'eContent'), 'eContent');
  encapsulated.end();
  const embedded = data.optional(contextConstructed(0));
  const certificates = embedded ? children(embedded, embedded.tag, 'certificates') : [];
  demand(certificates.length <= MAX_CERTIFICATES && (!embedded || certificates.length > 0), 'no or too many certificates in the token');
  const [signer, ...more] = asSetOf(data.any('signerInfos'), 'signerInfos');
  data.end();
  if (!signer || more.length > 0) throw new StepsealError('TIMESTAMP_INVALID', 'a token without exactly one signer');
  const parsed = parseSignerInfo(signer);
  demand(digests.length === 1 && parseHashIdentifier(digests[0]!, 'digestAlgorithms') === parsed.digest, 'digestAlgorithms other than the those of the signer');
  return { content, certificates: certificates.map((each) => parseCertificate(bytesOf(each))), ...parsed };
}

function parseSignerInfo(node: DerNode): Omit<SignedTstInfo, 'content' | 'certificates'> {
  const signer = fields(node, 'SignerInfo');
  demand(asSmallInteger(signer.any('version'), 'version') === 1, 'a signer that is not named by issuer and serial');
  const sid = fields(signer.next(TAG.sequence, 'sid'), 'sid');
  const signerIssuer = bytesOf(sid.next(TAG.sequence, 'issuer'));
  const signerSerial = integerBytes(sid.any('serialNumber'), 'serialNumber');
  sid.end();
  const digest = parseHashIdentifier(signer.any('digestAlgorithm'), 'digestAlgorithm');
  const attributes = signer.next(contextConstructed(0), 'signedAttrs');
  const algorithm = parseSignatureAlgorithm(signer.next(TAG.sequence, 'signatureAlgorithm'), 'signatureAlgorithm');
  const signature = asOctetString(signer.any('signature'), 'signature');
  signer.end();
  demand(digestOf(algorithm) === digest, 'a digest that does not go with the signature algorithm');
  // the signature is over the attributes with the tag of SET OF, RFC 5652 section 5.4
  const signedBytes = encode(TAG.set, contentOf(attributes));
  return { signerIssuer, signerSerial, digest, signedAttributes: signedBytes, algorithm, signature, ...parseAttributes(attributes) };
}

function parseAttributes(node: DerNode): Pick<SignedTstInfo, 'messageDigest' | 'certificateHash'> {
  const values = new Map<string, DerNode>();
  for (const entry of asSetOf(node, 'signedAttrs', node.tag)) {
    const parts = fields(entry, 'attribute');
    const type = asOid(parts.any('attrType'), 'attrType');
    const [value, extra] = children(parts.any('attrValues'), TAG.set, 'attrValues');
    parts.end();
    if (!value || extra || values.has(type)) throw new StepsealError('TIMESTAMP_INVALID', 'a signed attribute without exactly one value', { found: type });
    values.set(type, value);
  }
  const needed = (type: string, what: string): DerNode => {
    const value = values.get(type);
    if (!value) throw new StepsealError('TIMESTAMP_INVALID', 'a signed attribute is missing', { expected: what });
    return value;
  };
  demand(asOid(needed(ATTRIBUTE.contentType, 'contentType'), 'contentType') === TST_INFO, 'a contentType other than TSTInfo');
  const signingTime = values.get(ATTRIBUTE.signingTime);
  if (signingTime) asTime(signingTime, 'signingTime');
  const messageDigest = asOctetString(needed(ATTRIBUTE.messageDigest, 'messageDigest'), 'messageDigest');
  return { messageDigest, certificateHash: firstEssCertId(needed(ATTRIBUTE.signingCertificateV2, 'signingCertificateV2')) };
}

// RFC 5035 section 4: the first is the signer's; the others, and policies, are skipped
function firstEssCertId(node: DerNode): SignedTstInfo['certificateHash'] {
  const [certs] = children(node, TAG.sequence, 'SigningCertificateV2');
  const [first] = certs ? children(certs, TAG.sequence, 'ESSCertIDv2 list') : [];
  if (!first) throw new StepsealError('TIMESTAMP_INVALID', 'signingCertificateV2 is empty');
  const parts = fields(first, 'ESSCertIDv2');
  const algorithm = parts.optional(TAG.sequence);
  const digest = asOctetString(parts.any('certHash'), 'certHash');
  return { hash: algorithm ? parseHashIdentifier(algorithm, 'hashAlgorithm') : 'sha256', digest };
}

/** Whether the token's messageDigest is of its content (RFC 5652 section 5.4). */
export function contentIsIntact(token: SignedTstInfo): boolean {
  return equalBytes(hash(token.digest, token.content, 'buffer'), token.messageDigest);
}

/** Whether `certificate` is the one that the signer put under its signature (RFC 5816). */
export function signedFor(token: SignedTstInfo, certificate: Certificate): boolean {
  const { hash: algorithm, digest } = token.certificateHash;
  return equalBytes(hash(algorithm, certificate.der, 'buffer'), digest);
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new StepsealError('TIMESTAMP_INVALID', otherwise);
}
