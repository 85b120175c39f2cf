import { fromUtf8, sha256 } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { parseJson } from '../base/json.ts';
import { isObject, Reader } from '../base/read.ts';
import { formatTime } from '../base/time.ts';
import { decodePem } from '../der/pem.ts';
import { type CertificateAuthority, type LogInstance, parseTrustedRoot } from '../envelope/trustedRoot.ts';
import type { Validity } from '../envelope/validity.ts';
import { parseCheckpoint } from '../merkle/checkpoint.ts';
import { decodeJwtSvid } from '../spiffe/jwtValidate.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { explain, type Explanation } from './explanation.ts';
import { explainBundle, explainCheckpoint } from './inspectBundle.ts';
import { explainCertificate } from './inspectCertificate.ts';

const KINDS = 'a bundle, a certificate or SVID (PEM or DER), a JWT-SVID, a checkpoint, or a trusted root';

/**
 * Says in words what these bytes are: a Sigstore bundle, certificates, a JWT-SVID, a checkpoint or a trusted root.
 * Nothing is verified. Throws INSPECT_UNKNOWN, and what the reader of the recognised format throws.
 */
export function inspect(bytes: Uint8Array): Explanation {
  // DER of a certificate is a SEQUENCE with a length of two bytes
  if (bytes[0] === 0x30 && bytes[1] === 0x82) return explainCertificate(parseCertificate(bytes));
  const text = textOf(bytes);
  if (text.startsWith('-----BEGIN CERTIFICATE-----')) return explainPem(text);
  if (text.trimStart().startsWith('{')) return explainJson(bytes);
  if (/^[\w-]+\.[\w-]+\.[\w-]+\s*$/.test(text)) return explainJwt(text.trim());
  if (text.includes('\n\n— ')) return explainCheckpoint(parseCheckpoint(text));
  throw unknown(text);
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
  if (typeof mediaType !== 'string') throw unknown('JSON without a mediaType');
  if (mediaType.includes('.bundle')) return explainBundle(bytes);
  if (mediaType.includes('.trustedroot')) return explainTrustedRoot(bytes);
  throw unknown(mediaType);
}

function explainTrustedRoot(bytes: Uint8Array): Explanation {
  const root = parseTrustedRoot(bytes);
  return explain(
    'Sigstore trusted root v0.1',
    [
      ['says', 'whose signatures count, and for which time'],
      ['file', `sha256:${toHex(sha256(bytes))}`],
    ],
    [
      ...root.certificateAuthorities.map((authority) => explainAuthority('Certificate authority', authority)),
      ...root.tlogs.map((log) => explainLog('Transparency log of signatures', log)),
      ...root.ctlogs.map((log) => explainLog('Transparency log of certificates', log)),
      ...root.timestampAuthorities.map((authority) => explainAuthority('Timestamp authority', authority)),
    ],
  );
}

function explainAuthority(title: string, { uri, certificates, validFor }: CertificateAuthority): Explanation {
  return explain(title, [['at', uri || undefined], ['trusted', validityOf(validFor)]], certificates.map((der) => explainCertificate(parseCertificate(der))));
}

function explainLog(title: string, { baseUrl, keyDetails, logId, validFor }: LogInstance): Explanation {
  return explain(title, [['at', baseUrl], ['key', keyDetails], ['log id', toHex(logId)], ['trusted', validityOf(validFor)]]);
}

function validityOf({ start, end }: Validity): string {
  return `from ${formatTime(start)} ${end === undefined ? 'until further notice' : `to ${formatTime(end)}`}`;
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
