import { sha256 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { formatTime, formatTimeMs } from '../base/time.ts';
import type { Certificate } from '../x509/certificate.ts';
import { certificateEvidence } from '../x509/evidence.ts';
import { fulcioValue } from '../x509/fulcio.ts';
import { describeName, isEmptyName } from '../x509/names.ts';
import { EKU, EVIDENCE_OID, EXTENSION, FULCIO, KEY_USAGE } from '../x509/oids.ts';
import { embeddedScts, leafIndexOf } from '../x509/sct.ts';
import { explain, type Explanation } from './explanation.ts';

const PURPOSES: Readonly<Record<string, string>> = {
  [EKU.serverAuth]: 'TLS server',
  [EKU.clientAuth]: 'TLS client',
  [EKU.codeSigning]: 'code signing',
  [EKU.timeStamping]: 'time stamping',
  [EKU.any]: 'anything',
};

/** fulcio docs/oid-info.md */
const FULCIO_NAMES: Readonly<Record<number, string>> = {
  1: 'issuer (old form)', 8: 'issuer', 9: 'build signer', 10: 'build signer digest', 11: 'runner environment', 12: 'source repository', 13: 'source commit', 14: 'source ref',
  15: 'source repository id', 16: 'source owner', 17: 'source owner id', 18: 'build config', 19: 'build config digest', 20: 'build trigger', 21: 'run invocation',
  22: 'source visibility', 23: 'deployment environment', 24: 'token subject',
};

const EXPLAINED = new Set<string>([...Object.values(EXTENSION), EVIDENCE_OID]);

/** In words, from what it says itself: nothing is verified. Throws what its extensions' readers throw. */
export function explainCertificate(certificate: Certificate): Explanation {
  const { basicConstraints, nameConstraints, subjectAltName, extendedKeyUsage } = certificate;
  const evidence = certificateEvidence(certificate);
  return explain(kindOf(certificate), [
    ...(subjectAltName?.uris ?? []).map((uri) => ['identity', uri] as const),
    ...(subjectAltName?.dns ?? []).map((name) => ['DNS name', name] as const),
    ...(subjectAltName?.emails ?? []).map((email) => ['e-mail', email] as const),
    ['subject', isEmptyName(certificate.subject) ? undefined : describeName(certificate.subject)],
    ['issued by', describeName(certificate.issuer) || 'nobody named'],
    ['serial', toHex(certificate.serial)],
    ['valid', `${formatTime(certificate.notBefore)} to ${formatTime(certificate.notAfter)}, ${lifeOf(certificate)}`],
    ['key', `${certificate.publicKey.algorithm}, SHA-256 ${toHex(sha256(certificate.spki))}`],
    ['signed with', certificate.signatureAlgorithm],
    ['may', usesOf(certificate)],
    ['for', extendedKeyUsage?.oids.map((oid) => PURPOSES[oid] ?? oid).join(', ')],
    ['authority', basicConstraints?.ca ? `yes${basicConstraints.pathLength === undefined ? '' : `, with at most ${basicConstraints.pathLength} authorities below it`}` : undefined],
    ['only for', nameConstraints?.permitted.map(({ host }) => host).join(', ')],
    ['custody', evidence && custodyOf(evidence.custody)],
    ['attempt', evidence?.attempt],
    ['evidence', evidence?.digest && `sha256:${toHex(evidence.digest)}`],
    ...Object.entries(FULCIO_NAMES).map(([number, name]) => [name, fulcioValue(certificate, Number(number))] as const),
    ...embeddedScts(certificate).map((sct) => ['logged', `${formatTimeMs(sct.timestamp)}, CT log ${toHex(sct.logId)}${placeOf(leafIndexOf(sct))}`] as const),
    ...certificate.extensions.filter(({ oid }) => !EXPLAINED.has(oid) && !oid.startsWith(`${FULCIO}.`)).map(({ oid, critical }) => ['extension', `${oid}${critical ? ', critical' : ''}, not explained here`] as const),
    ['fingerprint', `sha256:${toHex(sha256(certificate.der))}`],
  ]);
}

function kindOf({ basicConstraints, extendedKeyUsage, subjectAltName }: Certificate): string {
  const oids = extendedKeyUsage?.oids ?? [];
  if (basicConstraints?.ca) return 'Certificate of an authority';
  if (oids.includes(EKU.codeSigning)) return 'Signing certificate';
  if (oids.includes(EKU.timeStamping)) return 'Certificate of a timestamp authority';
  return subjectAltName?.uris.some((uri) => uri.startsWith('spiffe://')) ? 'X509-SVID' : 'Certificate';
}

function usesOf({ keyUsage }: Certificate): string | undefined {
  if (keyUsage === undefined) return undefined;
  const names = { digitalSignature: 'sign', keyEncipherment: 'encipher keys', keyAgreement: 'agree on keys', keyCertSign: 'certify', crlSign: 'sign CRLs' } as const;
  const uses = Object.entries(names).filter(([name]) => (keyUsage.bits & KEY_USAGE[name as keyof typeof names]) !== 0);
  return `${uses.map(([, text]) => text).join(', ')}${keyUsage.critical ? '' : ' (not critical)'}`;
}

function custodyOf(custody: 'seal' | 'in-step' | 'bearer'): string {
  const texts = {
    seal: 'seal: the key was made for one seal, and no step ever had it',
    'in-step': 'in-step: the step held the key itself',
    bearer: 'bearer: whoever had the token held the key',
  };
  return texts[custody];
}

function placeOf(index: number | undefined): string {
  return index === undefined ? '' : `, entry ${index}`;
}

function lifeOf({ notBefore, notAfter }: Certificate): string {
  const minutes = Math.round((notAfter - notBefore) / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 2 * 24 * 60 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 1440)} days`;
}
