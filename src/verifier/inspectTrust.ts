import { sha256 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { formatTime } from '../base/time.ts';
import { parseSigningConfig, type Service } from '../envelope/signingConfig.ts';
import { type CertificateAuthority, type LogInstance, parseTrustedRoot } from '../envelope/trustedRoot.ts';
import type { Validity } from '../envelope/validity.ts';
import { parseSpiffeBundle } from '../spiffe/bundleDocument.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { explain, type Explanation } from './explanation.ts';
import { explainCertificate } from './inspectCertificate.ts';

/** Throws what parseTrustedRoot throws. */
export function explainTrustedRoot(bytes: Uint8Array): Explanation {
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

/** Throws what parseSigningConfig throws. */
export function explainSigningConfig(bytes: Uint8Array): Explanation {
  const config = parseSigningConfig(bytes);
  const services = (label: string, list: readonly Service[]) => list.map(({ url, majorApiVersion, validFor }) => [label, `${url}, version ${majorApiVersion}, ${validityOf(validFor)}`] as const);
  return explain('Sigstore signing config v0.2', [
    ['says', 'where a client signs; whom to trust stands in the trusted root'],
    ...services('certificates', config.caUrls),
    ...services('tokens', config.oidcUrls),
    ...services('log', config.rekorTlogUrls),
    ...services('timestamps', config.tsaUrls),
  ]);
}

/** Throws what parseSpiffeBundle throws. */
export function explainSpiffeBundle(bytes: Uint8Array): Explanation {
  // the document does not name its trust domain: its certificates do
  const { x509Authorities, jwtAuthorities, sequence } = parseSpiffeBundle(bytes, 'unnamed');
  return explain(
    'SPIFFE bundle',
    [
      ['says', 'by which keys the SVIDs of a trust domain are known'],
      ['file', `sha256:${toHex(sha256(bytes))}`],
      ['sequence', sequence?.toString()],
      ...jwtAuthorities.map(({ kid, spki }) => ['JWT key', `${kid}, SHA-256 ${toHex(sha256(spki))}`] as const),
    ],
    x509Authorities.map((der) => explainCertificate(parseCertificate(der))),
  );
}
