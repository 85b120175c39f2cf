import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../../src/base/hex.ts';
import { decodePem, encodePem } from '../../../src/der/pem.ts';
import { parseCertificate, type Certificate } from '../../../src/x509/certificate.ts';
import { signedAttributes } from '../../../src/x509/cms.ts';
import { parseCsr, buildCsr } from '../../../src/x509/csr.ts';
import { evidenceExtension } from '../../../src/x509/evidence.ts';
import { fulcioExtension } from '../../../src/x509/extensions.ts';
import { EKU } from '../../../src/x509/oids.ts';
import { verifyCertificateChain } from '../../../src/x509/path.ts';
import { assembleTimestampResponse, verifyTimestamp } from '../../../src/x509/timestamp.ts';
import { parseTimestampRequest } from '../../../src/x509/timestampRequest.ts';
import { tstInfo } from '../../../src/x509/tstInfo.ts';
import { hasOpenssl, inFolder, openssl, withOpenssl } from '../../fakes/openssl.ts';
import { authority, leaf, NOW, testKey, tsaLeaf } from '../../fakes/pki.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const TRUST = 'spiffe://example.org';
const AT = ['-attime', String(NOW / 1000)];
const pem = (...certificates: Certificate[]) => certificates.map(({ der }) => encodePem('CERTIFICATE', der)).join('');

describe.skipIf(!hasOpenssl)(withOpenssl('what we write, OpenSSL reads'), () => {
  const root = authority({ name: 'signing root', uri: TRUST });
  const ca = authority({ name: 'signing ca', by: root, uri: TRUST, pathLength: 0, ekus: [EKU.codeSigning], permitted: ['example.org'] });
  const signing = leaf({ by: ca, ekus: [EKU.codeSigning], more: [fulcioExtension(8, 'https://example.org'), evidenceExtension({ custody: 'seal', attempt: 'x' })] });

  const check = (path: (name: string) => string, certificate: Certificate, purpose: string) => {
    writeFileSync(path('root.pem'), pem(root.certificate));
    writeFileSync(path('ca.pem'), pem(ca.certificate));
    writeFileSync(path('leaf.pem'), pem(certificate));
    return openssl('verify', ...AT, '-x509_strict', '-purpose', purpose, '-CAfile', path('root.pem'), '-untrusted', path('ca.pem'), path('leaf.pem'));
  };

  test('a signing certificate and its path', () => {
    inFolder((path) => expect(check(path, signing.certificate, 'any')).toContain(': OK'));
  });

  test('and refuses what we refuse: a URI outside the constraint', () => {
    const outside = leaf({ by: ca, ekus: [EKU.codeSigning], uris: ['spiffe://example.org.evil/a'] });
    inFolder((path) => expect(() => check(path, outside.certificate, 'any')).toThrow('permitted subtree violation'));
  });

  test('every extension of a certificate as text', () => {
    inFolder((path) => {
      writeFileSync(path('leaf.pem'), pem(signing.certificate));
      const text = openssl('x509', '-in', path('leaf.pem'), '-noout', '-text');
      for (const part of ['Digital Signature', 'Code Signing', `URI:${TRUST}/ns/a`, 'X509v3 Subject Alternative Name: critical', '1.3.6.1.4.1.57264.1.8', '2.25.1698058553']) {
        expect(text).toContain(part);
      }
    });
  });

  test('a certificate request', async () => {
    const key = testKey();
    const der = await buildCsr(key.spki, `${TRUST}/agent`, (data) => key.sign(data));
    inFolder((path) => {
      writeFileSync(path('csr.der'), der);
      expect(openssl('req', '-inform', 'DER', '-in', path('csr.der'), '-noout', '-verify', '-text')).toContain(`URI:${TRUST}/agent`);
    });
  });

  test.each([[['-cert']], [['-no_nonce']]])('a timestamp for a query with %s', (options) => {
    const tsa = tsaLeaf({ by: root });
    inFolder((path) => {
      writeFileSync(path('data'), 'hello');
      writeFileSync(path('root.pem'), pem(root.certificate));
      writeFileSync(path('tsa.pem'), pem(tsa.certificate));
      openssl('ts', '-query', '-data', path('data'), '-sha256', ...options, '-out', path('query'));
      const query = parseTimestampRequest(readFileSync(path('query')));
      const { algorithm } = tsa.key;
      const info = tstInfo({ policy: '1.3.6.1.4.1.57264.2', imprint: query.imprint, serial: new Uint8Array(16).fill(7), genTime: NOW, ...(query.nonce && { nonce: query.nonce }) });
      const attributes = signedAttributes({ tstInfo: info, certificate: tsa.certificate, algorithm, signingTime: NOW });
      writeFileSync(path('reply'), assembleTimestampResponse({
        tstInfo: info, signedAttributes: attributes, signature: tsa.key.sign(attributes), algorithm, certificate: tsa.certificate,
        certificates: query.certReq ? [tsa.certificate] : [],
      }));
      const trust = [...AT, '-CAfile', path('root.pem'), '-untrusted', path('tsa.pem')];
      expect(openssl('ts', '-verify', '-queryfile', path('query'), '-in', path('reply'), ...trust)).toContain('Verification: OK');
      expect(openssl('ts', '-reply', '-in', path('reply'), '-text')).toContain('Time stamp: Mar  4 05:06:07 2026 GMT');
      writeFileSync(path('data'), 'other');
      expect(() => openssl('ts', '-verify', '-data', path('data'), '-in', path('reply'), ...trust)).toThrow('message imprint mismatch');
    });
  });
});

describe.skipIf(!hasOpenssl)(withOpenssl('what OpenSSL writes, we read'), () => {
  const CONFIG = `
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
nameConstraints = critical, permitted;URI:prod.example.com
[good]
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
subjectAltName = critical, URI:spiffe://prod.example.com/ns/a
[outside]
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
subjectAltName = critical, URI:spiffe://prod.example.com.evil/ns/a
[tsa]
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa_config]
serial = SERIAL
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1, millisecs:500
ordering = yes
tsa_name = yes
ess_cert_id_alg = sha256
`;

  function issued(path: (name: string) => string, section: string): Certificate {
    openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path(`${section}.key`), '-subj', `/CN=${section}`, '-config', path('config'), '-out', path(`${section}.csr`));
    openssl('x509', '-req', '-in', path(`${section}.csr`), '-CA', path('root.pem'), '-CAkey', path('root.key'), '-set_serial', '0x112233445566778899', '-days', '10', '-sha256', '-extfile', path('config'), '-extensions', section, '-out', path(`${section}.pem`));
    return parseCertificate(decodePem(readFileSync(path(`${section}.pem`), 'utf8'), 'CERTIFICATE')[0]!);
  }

  function made(path: (name: string) => string): Certificate {
    writeFileSync(path('config'), CONFIG.replace('SERIAL', path('serial')));
    openssl('req', '-x509', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384', '-nodes', '-keyout', path('root.key'), '-subj', '/C=AT/O=test/CN=root', '-days', '20', '-config', path('config'), '-extensions', 'root', '-out', path('root.pem'));
    return parseCertificate(decodePem(readFileSync(path('root.pem'), 'utf8'), 'CERTIFICATE')[0]!);
  }

  test('a chain with a URI name constraint; a leaf outside of it is refused', () => {
    inFolder((path) => {
      const root = made(path);
      // the root is P-384: with -sha256 its signature is one that belongs to another curve
      expect(() => verifyCertificateChain({ leaf: issued(path, 'good'), intermediates: [], roots: [root], time: root.notBefore + 60_000, purpose: 'signing' })).toThrow(code('ALG_NOT_ALLOWED'));
      expect(root.nameConstraints?.permitted).toEqual([{ type: 0x86, host: 'prod.example.com' }]);
    });
  });

  test('certificates with SHA-1, RSA of 1024 bits and P-224 are not allowed', () => {
    inFolder((path) => {
      writeFileSync(path('config'), CONFIG);
      for (const key of [['rsa:1024', '-sha256'], ['rsa:2048', '-sha1'], ['ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1', '-sha256'], ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha1']]) {
        openssl('req', '-x509', '-new', '-nodes', '-newkey', ...key, '-keyout', path('k'), '-subj', '/CN=x', '-config', path('config'), '-extensions', 'root', '-outform', 'DER', '-out', path('c'));
        expect(() => parseCertificate(readFileSync(path('c'))), key.join(' ')).toThrow(code('ALG_NOT_ALLOWED'));
      }
    });
  });

  test('a request with names of several kinds', () => {
    inFolder((path) => {
      writeFileSync(path('config'), CONFIG);
      openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', path('k'), '-subj', '/C=AT/CN=x', '-config', path('config'), '-addext', `subjectAltName=URI:${TRUST}/a,DNS:x.org,email:a@x.org,IP:10.0.0.1`, '-outform', 'DER', '-out', path('csr'));
      expect(parseCsr(readFileSync(path('csr')))).toMatchObject({ sanUris: [`${TRUST}/a`], sanDns: ['x.org'], publicKey: { algorithm: 'rsa', rsaBits: 2048 } });
    });
  });

  test('a timestamp with accuracy, ordering and the name of the authority', () => {
    inFolder((path) => {
      writeFileSync(path('serial'), '01\n');
      writeFileSync(path('config'), CONFIG.replace('SERIAL', path('serial')));
      openssl('req', '-x509', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha256', '-nodes', '-keyout', path('root.key'), '-subj', '/CN=root', '-days', '20', '-config', path('config'), '-extensions', 'root', '-out', path('root.pem'));
      const root = parseCertificate(decodePem(readFileSync(path('root.pem'), 'utf8'), 'CERTIFICATE')[0]!);
      const good = issued(path, 'good');
      const outside = issued(path, 'outside');
      const tsa = issued(path, 'tsa');
      const time = root.notBefore + 60_000;
      expect(verifyCertificateChain({ leaf: good, intermediates: [], roots: [root], time, purpose: 'signing', trustDomain: 'prod.example.com' })).toHaveLength(2);
      expect(() => verifyCertificateChain({ leaf: outside, intermediates: [], roots: [root], time, purpose: 'signing' })).toThrow(code('NAME_CONSTRAINT'));

      writeFileSync(path('data'), 'hello');
      openssl('ts', '-query', '-data', path('data'), '-sha256', '-cert', '-out', path('query'));
      openssl('ts', '-reply', '-queryfile', path('query'), '-config', path('config'), '-section', 'tsa_config', '-signer', path('tsa.pem'), '-inkey', path('tsa.key'), '-out', path('reply'));
      const authorities = [{ chain: [tsa, root], validFor: { start: 0 } }];
      const response = readFileSync(path('reply'));
      expect(verifyTimestamp({ response, signatureBytes: Buffer.from('hello'), authorities }).time).toBeGreaterThan(tsa.notBefore - 1_000);
      expect(() => verifyTimestamp({ response, signatureBytes: Buffer.from('other'), authorities })).toThrow(code('TIMESTAMP_MISMATCH'));
      expect(toHex(tsa.serial)).toBe('112233445566778899');
    });
  });
});
