import { fromUtf8 } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { isObject, Reader } from '../base/read.ts';
import { formatTime } from '../base/time.ts';
import { decodePem } from '../der/pem.ts';
import { parseCheckpoint } from '../merkle/checkpoint.ts';
import { decodeJwtSvid } from '../spiffe/jwtValidate.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { explain, type Explanation } from './explanation.ts';
import { explainBundle, explainCheckpoint } from './inspectBundle.ts';
import { explainCertificate } from './inspectCertificate.ts';
import { explainSigningConfig, explainSpiffeBundle, explainTrustedRoot } from './inspectTrust.ts';

const KINDS = 'a bundle, a certificate or SVID (PEM or DER), a JWT-SVID, a checkpoint, a trusted root, a signing config, or a SPIFFE bundle';

/**
 * Says in words what these bytes are: a Sigstore bundle, certificates, a JWT-SVID, a checkpoint, or trust material.
 * Nothing is verified, and nothing is repeated of what is not known: it may be a key. Throws INSPECT_UNKNOWN, and what the reader of the recognised format throws.
 */
export function inspect(bytes: Uint8Array): Explanation {
  // DER of a certificate is a SEQUENCE with a length of two bytes
  if (bytes[0] === 0x30 && bytes[1] === 0x82) return explainCertificate(parseCertificate(bytes));
  const text = textOf(bytes);
  if (text.startsWith('-----BEGIN CERTIFICATE-----')) return explainPem(text);
  if (text.trimStart().startsWith('{')) return explainJson(bytes);
  if (/^[\w-]+\.[\w-]+\.[\w-]+\s*$/.test(text)) return explainJwt(text.trim());
  if (text.includes('\n\n— ')) return explainCheckpoint(parseCheckpoint(text));
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) throw unknown('a private key, which is not shown');
  throw unknown(text === '' ? 'nothing: it is empty' : `${text.length} characters of text`);
}

function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    throw unknown(`${bytes.length} bytes that are no text`);
  }
}

function unknown(found: string): StepsealError {
  return new StepsealError('INSPECT_UNKNOWN', 'this is nothing that Stepseal can explain', { expected: KINDS, found });
}

function explainPem(text: string): Explanation {
  const [first, ...rest] = decodePem(text, 'CERTIFICATE').map((der) => explainCertificate(parseCertificate(der)));
  return rest.length === 0 ? first! : explain(`${first!.title}, with ${rest.length} more`, first!.facts, rest);
}

function explainJson(bytes: Uint8Array): Explanation {
  const json = parseJson(bytes, { size: 24 * 1024 * 1024 });
  const mediaType = isObject(json) ? json['mediaType'] : undefined;
  if (mediaType === undefined && isObject(json) && Array.isArray(json['keys'])) return explainSpiffeBundle(bytes);
  if (typeof mediaType !== 'string') throw unknown('JSON without a mediaType');
  if (mediaType.includes('.bundle')) return explainBundle(bytes);
  if (mediaType.includes('.trustedroot')) return explainTrustedRoot(bytes);
  if (mediaType.includes('.signingconfig')) return explainSigningConfig(bytes);
  throw unknown(mediaType);
}

function explainJwt(token: string): Explanation {
  const { alg, kid, claims } = decodeJwtSvid(token);
  const reader = new Reader(claims, 'claims', 'JWT_CLAIMS');
  const time = (name: string): string | undefined => reader.at(name).optional((claim) => formatTime(claim.number() * 1000));
  const audience = reader.at('aud');
  const known = ['sub', 'aud', 'iss', 'iat', 'nbf', 'exp'];
  return explain('JWT-SVID', [
    ['identity', reader.at('sub').optional((sub) => sub.string())],
    ['for', Array.isArray(audience.value) ? audience.array().map((item) => item.string()).join(', ') : audience.optional((item) => item.string())],
    ['issuer', reader.at('iss').optional((iss) => iss.string())],
    ['issued', time('iat')],
    ['not before', time('nbf')],
    ['expires', time('exp')],
    ['signed with', `${alg}, key ${kid}`],
    ...Object.keys(claims).filter((name) => !known.includes(name)).map((name) => [`claim ${name}`, JSON.stringify(claims[name])] as const),
    ['note', 'a secret until it expires: whoever has it is this identity'],
  ]);
}
