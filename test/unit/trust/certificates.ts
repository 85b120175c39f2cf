import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { assembleCertificate, tbsCertificate } from '../../../src/x509/template.ts';
import { basicConstraints, extendedKeyUsage, keyUsage, subjectAltName } from '../../../src/x509/extensions.ts';
import { distinguishedName } from '../../../src/x509/names.ts';
import { EKU, KEY_USAGE } from '../../../src/x509/oids.ts';

export interface MadeCertificate {
  readonly der: Uint8Array;
  readonly spki: Uint8Array;
  readonly privateKey: KeyObject;
  readonly name: string;
}

const START = Date.UTC(2026, 0, 1);
const END = Date.UTC(2036, 0, 1);

/** A P-256 root. */
export function selfSigned(name: string): MadeCertificate {
  return make(name, undefined, [basicConstraints(true), keyUsage(KEY_USAGE.keyCertSign)]);
}

export function issuingCa(name: string, issuer: MadeCertificate): MadeCertificate {
  return make(name, issuer, [basicConstraints(true, 0), keyUsage(KEY_USAGE.keyCertSign), extendedKeyUsage([EKU.codeSigning])]);
}

export function stampingLeaf(name: string, issuer: MadeCertificate): MadeCertificate {
  return make(name, issuer, [keyUsage(KEY_USAGE.digitalSignature), extendedKeyUsage([EKU.timeStamping], true)]);
}

export function signingLeaf(uri: string, issuer: MadeCertificate): MadeCertificate {
  return make(uri, issuer, [keyUsage(KEY_USAGE.digitalSignature), extendedKeyUsage([EKU.codeSigning]), subjectAltName({ uris: [uri] }, true)]);
}

function make(name: string, issuer: MadeCertificate | undefined, extensions: readonly Uint8Array[]): MadeCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
  const tbs = tbsCertificate({
    serial: Uint8Array.of(1),
    algorithm: 'ecdsa-p256-sha256',
    issuer: distinguishedName({ commonName: issuer?.name ?? name }),
    subject: distinguishedName({ commonName: name }),
    notBefore: START,
    notAfter: END,
    spki,
    extensions,
  });
  const der = new Uint8Array(assembleCertificate(tbs, 'ecdsa-p256-sha256', sign('sha256', tbs, issuer?.privateKey ?? privateKey)));
  return { der, spki, privateKey, name };
}
