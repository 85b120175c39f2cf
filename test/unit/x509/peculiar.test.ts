import { describe, expect, test } from 'vitest';
import { toHex } from '../../../src/base/hex.ts';
import { buildCsr, parseCsr } from '../../../src/x509/csr.ts';
import { evidenceExtension } from '../../../src/x509/evidence.ts';
import { fulcioExtension, sctList } from '../../../src/x509/extensions.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { EKU } from '../../../src/x509/oids.ts';
import { verifySignature } from '../../../src/x509/verify.ts';
import * as peculiar from '../../fakes/peculiar.ts';
import { authority, leaf, NOW, testKey } from '../../fakes/pki.ts';

const TRUST = 'spiffe://example.org';
const root = authority({ name: 'root', uri: TRUST });
const ca = authority({ name: 'ca', by: root, uri: TRUST, pathLength: 0, ekus: [EKU.codeSigning], permitted: ['example.org'] });
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

describe('@peculiar/x509 and we agree', () => {
  test('on a signing certificate of ours', async () => {
    const { certificate } = leaf({ by: ca, ekus: [EKU.codeSigning], more: [fulcioExtension(8, 'https://example.org'), evidenceExtension({ custody: 'in-step' }), sctList(new Uint8Array(2))] });
    const read = new peculiar.X509Certificate(certificate.der);
    expect(read.serialNumber).toBe(toHex(certificate.serial));
    expect([read.notBefore.getTime(), read.notAfter.getTime()]).toEqual([certificate.notBefore, certificate.notAfter]);
    expect(read.getExtension(peculiar.KeyUsagesExtension)).toMatchObject({ critical: true, usages: peculiar.KeyUsageFlags.digitalSignature });
    expect(read.getExtension(peculiar.ExtendedKeyUsageExtension)?.usages).toEqual([EKU.codeSigning]);
    expect(read.getExtension(peculiar.SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([{ type: 'url', value: `${TRUST}/ns/a` }]);
    expect(read.getExtension(peculiar.SubjectKeyIdentifierExtension)?.keyId).toBe(toHex(certificate.subjectKeyIdentifier!));
    expect(read.getExtension(peculiar.AuthorityKeyIdentifierExtension)?.keyId).toBe(toHex(certificate.authorityKeyIdentifier!));
    expect(read.extensions.map((each) => each.type)).toEqual(certificate.extensions.map((each) => each.oid));
    expect(await read.verify({ publicKey: new peculiar.X509Certificate(ca.certificate.der), signatureOnly: true })).toBe(true);
  });

  test('on an authority of ours', () => {
    const read = new peculiar.X509Certificate(ca.certificate.der);
    expect(read.getExtension(peculiar.BasicConstraintsExtension)).toMatchObject({ critical: true, ca: true, pathLength: 0 });
    expect(read.getExtension('2.5.29.30')?.critical).toBe(true);
    expect(read.subject).toBe('O=test, CN=ca');
  });

  test('on a certificate of theirs', async () => {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const theirs = await peculiar.X509CertificateGenerator.createSelfSigned({
      name: 'CN=theirs, O=x',
      notBefore: new Date(NOW),
      notAfter: new Date(NOW + 1000),
      signingAlgorithm: ALGORITHM,
      keys,
      serialNumber: '0102030405060708',
      extensions: [
        new peculiar.BasicConstraintsExtension(true, 2, true),
        new peculiar.KeyUsagesExtension(peculiar.KeyUsageFlags.keyCertSign | peculiar.KeyUsageFlags.cRLSign, true),
        new peculiar.SubjectAlternativeNameExtension([{ type: 'url', value: TRUST }, { type: 'dns', value: 'x.org' }, { type: 'email', value: 'a@x.org' }, { type: 'ip', value: '10.0.0.1' }]),
      ],
    });
    const read = parseCertificate(new Uint8Array(theirs.rawData));
    expect(read).toMatchObject({
      basicConstraints: { critical: true, ca: true, pathLength: 2 },
      keyUsage: { critical: true, bits: (1 << 5) | (1 << 6) },
      subjectAltName: { uris: [TRUST], dns: ['x.org'], emails: ['a@x.org'] },
      notBefore: NOW,
      notAfter: NOW + 1000,
    });
    expect(verifySignature(read.spki, read.signatureAlgorithm, read.tbs, read.signature)).toBe(true);
  });

  test('on certificate requests of both', async () => {
    const key = testKey();
    const ours = new peculiar.Pkcs10CertificateRequest(await buildCsr(key.spki, `${TRUST}/agent`, (data) => key.sign(data)));
    expect(await ours.verify()).toBe(true);
    const requested = ours.extensions.find((each) => each instanceof peculiar.SubjectAlternativeNameExtension);
    expect(requested?.names.toJSON()).toEqual([{ type: 'url', value: `${TRUST}/agent` }]);

    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const theirs = await peculiar.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=a',
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [new peculiar.SubjectAlternativeNameExtension([{ type: 'url', value: `${TRUST}/b` }])],
    });
    expect(parseCsr(new Uint8Array(theirs.rawData)).sanUris).toEqual([`${TRUST}/b`]);
  });
});
