import { describe, expect, test } from 'vitest';
import { nul } from '../../../src/der/write.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { extension, poison, extendedKeyUsage, basicConstraints, keyUsage, subjectAltName, uriNameConstraints } from '../../../src/x509/extensions.ts';
import type { Purpose } from '../../../src/x509/leaf.ts';
import { EKU, KEY_USAGE } from '../../../src/x509/oids.ts';
import { verifyCertificateChain } from '../../../src/x509/path.ts';
import { tbsCertificate, assembleCertificate } from '../../../src/x509/template.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { authority, certify, leaf, NOW, SVID_EKUS, testKey, tsaLeaf, type Holder } from '../../fakes/pki.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const TRUST = 'spiffe://example.org';
const root = authority({ name: 'root', uri: TRUST });
const middle = authority({ name: 'middle', by: root, uri: TRUST, pathLength: 0 });
const signingRoot = authority({ name: 'signing root', uri: TRUST });
const signingCa = authority({ name: 'signing ca', by: signingRoot, uri: TRUST, pathLength: 0, ekus: [EKU.codeSigning], permitted: ['example.org'] });
const signing = (options: Parameters<typeof leaf>[0] = {}) => leaf({ by: signingCa, ekus: [EKU.codeSigning], ...options });

interface Options {
  intermediates?: Holder[];
  roots?: Holder[];
  time?: number;
  purpose?: Purpose;
  trustDomain?: string;
}

function verify(end: Holder, options: Options = {}): Certificate[] {
  const { intermediates = [middle, signingCa], roots = [root, signingRoot], time = NOW, purpose = 'svid', trustDomain } = options;
  return verifyCertificateChain({
    leaf: end.certificate,
    intermediates: intermediates.map((each) => each.certificate),
    roots: roots.map((each) => each.certificate),
    time,
    purpose,
    ...(trustDomain !== undefined && { trustDomain }),
  });
}

describe('a path that holds', () => {
  test('an X509-SVID leads over its CA to the identity root', () => {
    const svid = leaf({ by: middle });
    expect(verify(svid, { trustDomain: 'example.org' })).toEqual([svid.certificate, middle.certificate, root.certificate]);
  });

  test('a signing certificate and a timestamp certificate hold for their purpose', () => {
    expect(verify(signing(), { purpose: 'signing' })).toHaveLength(3);
    expect(verify(tsaLeaf({ by: signingRoot }), { purpose: 'timestamping' })).toHaveLength(2);
  });

  test('a second check of the same certificates gives the same path', () => {
    const svid = leaf({ by: middle });
    expect(verify(svid)).toEqual(verify(svid));
  });

  test('the ends of the validity are included', () => {
    const svid = leaf({ by: middle });
    expect(verify(svid, { time: svid.certificate.notBefore })).toHaveLength(3);
    expect(verify(svid, { time: svid.certificate.notAfter })).toHaveLength(3);
  });

  test('an SVID without extended key usage holds, as the standard says', () => {
    expect(verify(leaf({ by: middle, ekus: null }))).toHaveLength(3);
  });

  test.each(['ecdsa-p384-sha384', 'ecdsa-p521-sha512', 'ed25519', 'rsa-pkcs1-sha256'] as const)('an authority with a key for %s holds', (algorithm) => {
    const other = authority({ name: `ca ${algorithm}`, by: root, key: testKey(algorithm), uri: TRUST });
    expect(verify(leaf({ by: other }), { intermediates: [other] })).toHaveLength(3);
  });

  test('of two authorities with one name the one that signed is taken, in any order', () => {
    const twin = authority({ name: 'middle', by: root, uri: TRUST });
    for (const intermediates of [[middle, twin], [twin, middle]]) expect(verify(leaf({ by: middle }), { intermediates })[1]).toBe(middle.certificate);
  });

  test('a cross-signed authority is taken by the path that is still valid', () => {
    const old = authority({ name: 'old root', life: 1_000, uri: TRUST });
    const crossed = authority({ name: 'middle', by: old, key: middle.key, uri: TRUST });
    expect(verify(leaf({ by: middle }), { intermediates: [crossed, middle], roots: [old, root] })).toHaveLength(3);
  });

  test('a self-issued authority does not count for a path length', () => {
    const key = testKey();
    const outer = authority({ name: 'roll', by: root, pathLength: 0 });
    const rolled = certify({ name: 'roll', by: outer, key, extensions: [basicConstraints(true), keyUsage(KEY_USAGE.keyCertSign)] });
    expect(verify(leaf({ by: rolled }), { intermediates: [outer, rolled] })).toHaveLength(4);
  });
});

describe('a path that does not hold', () => {
  const other = authority({ name: 'other root', uri: 'spiffe://other.org' });
  const unnamed = authority({ name: 'unnamed root' });
  const constrained = authority({ name: 'constrained', by: root, permitted: ['example.org'], uri: TRUST });
  const early = authority({ name: 'early', by: root, notBefore: NOW + 1_000 });
  const ended = authority({ name: 'ended', by: root, life: 1_000 });
  const second = authority({ name: 'second', by: middle });
  const noCa = certify({ name: 'no ca', by: root, extensions: [keyUsage(KEY_USAGE.keyCertSign)] });
  const noSign = authority({ name: 'no sign', by: root, usage: KEY_USAGE.crlSign });
  const strange = authority({ name: 'strange', by: root, more: [extension('1.2.3.4', true, nul())] });
  const serverOnly = authority({ name: 'server only', by: root, ekus: [EKU.serverAuth] });
  const wider = authority({ name: 'wider', by: constrained, permitted: ['example.org', 'other.org'] });
  const pathful = authority({ name: 'pathful', by: root, uri: `${TRUST}/ca` });
  const twoUris = authority({ name: 'two', by: root, more: [subjectAltName({ uris: [TRUST, 'spiffe://b.org'] }, false)] });

  test.each<[string, Holder, Options, string]>([
    ['whose root is another one', leaf({ by: middle }), { roots: [unnamed] }, 'CHAIN_UNTRUSTED'],
    ['whose intermediate is missing', leaf({ by: middle }), { intermediates: [] }, 'CHAIN_UNTRUSTED'],
    ['that is signed by another key of the same name', leaf({ by: authority({ name: 'middle', by: unnamed }) }), {}, 'CHAIN_UNTRUSTED'],
    ['that has no roots', leaf({ by: middle }), { roots: [] }, 'CHAIN_UNTRUSTED'],
    ['that is trusted itself but issued by nobody', leaf({ by: unnamed }), { roots: [leaf({ by: unnamed })] }, 'CHAIN_UNTRUSTED'],
    ['that has expired', leaf({ by: middle }), { time: NOW + 3_600_001 }, 'CHAIN_EXPIRED'],
    ['that is not valid yet', leaf({ by: middle, notBefore: NOW + 1_000 }), {}, 'CHAIN_NOT_YET_VALID'],
    ['whose authority has expired', leaf({ by: ended }), { intermediates: [ended] }, 'CHAIN_EXPIRED'],
    ['whose authority is not valid yet', leaf({ by: early }), { intermediates: [early] }, 'CHAIN_NOT_YET_VALID'],
    ['that is longer than a path length', leaf({ by: second }), { intermediates: [middle, second] }, 'CHAIN_PATH_LENGTH'],
    ['over a certificate that is no CA', leaf({ by: noCa }), { intermediates: [noCa] }, 'CHAIN_NOT_CA'],
    ['over another leaf', leaf({ by: leaf({ by: root, name: 'leaf' }) }), { intermediates: [] }, 'CHAIN_UNTRUSTED'],
    ['over a CA that may not sign certificates', leaf({ by: noSign }), { intermediates: [noSign] }, 'CHAIN_NOT_CA'],
    ['over an authority with an unknown critical extension', leaf({ by: strange }), { intermediates: [strange] }, 'CERT_CRITICAL_UNKNOWN'],
    ['of a leaf with an unknown critical extension', leaf({ by: middle, more: [extension('1.2.3.4', true, nul())] }), {}, 'CERT_CRITICAL_UNKNOWN'],
    ['of a precertificate', leaf({ by: middle, more: [poison()] }), {}, 'CERT_CRITICAL_UNKNOWN'],
    ['over an authority whose EKU lacks the purpose', leaf({ by: serverOnly }), { intermediates: [serverOnly] }, 'EXT_KEY_USAGE'],
    ['of an SVID below the signing authority', leaf({ by: signingCa }), {}, 'EXT_KEY_USAGE'],
    ['outside a name constraint', leaf({ by: constrained, uris: ['spiffe://other.org/a'] }), { intermediates: [constrained] }, 'NAME_CONSTRAINT'],
    ['below an authority that widens a constraint', leaf({ by: wider, uris: ['spiffe://other.org/a'] }), { intermediates: [constrained, wider] }, 'NAME_CONSTRAINT'],
    ['of an ID in another trust domain than its authority', leaf({ by: middle, uris: ['spiffe://other.org/a'] }), {}, 'TRUST_DOMAIN_CA_MISMATCH'],
    ['of an ID in our trust domain below the root of another', leaf({ by: other }), { roots: [root, other] }, 'TRUST_DOMAIN_CA_MISMATCH'],
    ['of an ID in another trust domain than the roots speak for', leaf({ by: unnamed, uris: ['spiffe://other.org/a'] }), { roots: [unnamed], trustDomain: 'example.org' }, 'TRUST_DOMAIN_CA_MISMATCH'],
    ['over an authority whose ID has a path', leaf({ by: pathful }), { intermediates: [pathful] }, 'SPIFFE_ID_INVALID'],
    ['over an authority with two IDs', leaf({ by: twoUris }), { intermediates: [twoUris] }, 'SAN_MULTIPLE_URI'],
  ])('%s', (_, end, options, expected) => {
    expect(() => verify(end, options)).toThrow(code(expected));
  });

  test('of more than ten certificates', () => {
    const chain = [authority({ name: 'deep 0' })];
    for (let depth = 1; depth < 11; depth++) chain.push(authority({ name: `deep ${depth}`, by: chain.at(-1)! }));
    expect(() => verify(leaf({ by: chain.at(-1)! }), { intermediates: chain.slice(1), roots: [chain[0]!] })).toThrow(code('CHAIN_PATH_LENGTH'));
    expect(verify(leaf({ by: chain[8]! }), { intermediates: chain.slice(1), roots: [chain[0]!] })).toHaveLength(10);
  });

  test('that a thousand crafted intermediates would make costly', () => {
    const key = testKey();
    const loops = Array.from({ length: 12 }, () => certify({ name: 'loop', key, extensions: [basicConstraints(true), keyUsage(KEY_USAGE.keyCertSign)] }));
    expect(() => verify(leaf({ by: loops[0]! }), { intermediates: loops })).toThrow(code('CHAIN_UNTRUSTED'));
  });

  test('whose signature algorithm does not belong to the key', () => {
    const p384 = authority({ name: 'p384', key: testKey('ecdsa-p384-sha384'), by: root });
    const { certificate } = leaf({ by: middle });
    const tbs = tbsCertificate({
      serial: certificate.serial, algorithm: 'ecdsa-p256-sha256', issuer: p384.certificate.subject, subject: certificate.subject, notBefore: certificate.notBefore,
      notAfter: certificate.notAfter, spki: certificate.spki,
      extensions: [keyUsage(1), extendedKeyUsage(SVID_EKUS), subjectAltName({ uris: [`${TRUST}/a`] }, true)],
    });
    const mixed = parseCertificate(assembleCertificate(tbs, 'ecdsa-p256-sha256', p384.key.sign(tbs)));
    expect(() => verify({ certificate: mixed, key: p384.key }, { intermediates: [p384] })).toThrow(code('ALG_NOT_ALLOWED'));
  });
});

describe('an end certificate that its purpose forbids', () => {
  test.each<[string, Holder, Purpose, string]>([
    ['an authority as SVID', middle, 'svid', 'LEAF_IS_CA'],
    ['the signing authority as signer', signingCa, 'signing', 'LEAF_IS_CA'],
    ['no key usage', leaf({ by: middle, usage: null }), 'svid', 'KEY_USAGE'],
    ['key usage that is not critical', leaf({ by: middle, usage: null, more: [extension('2.5.29.15', false, Uint8Array.of(3, 2, 7, 0x80))] }), 'svid', 'KEY_USAGE'],
    ['key usage without digitalSignature', leaf({ by: middle, usage: KEY_USAGE.keyEncipherment }), 'svid', 'KEY_USAGE'],
    ['keyCertSign in a leaf', leaf({ by: middle, usage: KEY_USAGE.digitalSignature | KEY_USAGE.keyCertSign }), 'svid', 'KEY_USAGE'],
    ['cRLSign in a leaf', signing({ usage: KEY_USAGE.digitalSignature | KEY_USAGE.crlSign }), 'signing', 'KEY_USAGE'],
    ['a signing certificate as SVID', signing(), 'svid', 'EXT_KEY_USAGE'],
    ['an SVID as signing certificate', leaf({ by: signingCa }), 'signing', 'EXT_KEY_USAGE'],
    ['no EKU in a signing certificate', signing({ ekus: null }), 'signing', 'EXT_KEY_USAGE'],
    ['every EKU in a signing certificate', signing({ ekus: [...SVID_EKUS, EKU.codeSigning] }), 'signing', 'EXT_KEY_USAGE'],
    ['any EKU in a signing certificate', signing({ ekus: [EKU.any] }), 'signing', 'EXT_KEY_USAGE'],
    ['server authentication alone', leaf({ by: middle, ekus: [EKU.serverAuth] }), 'svid', 'EXT_KEY_USAGE'],
    ['two URIs, the good one first', leaf({ by: middle, uris: [`${TRUST}/a`, 'https://x'] }), 'svid', 'SAN_MULTIPLE_URI'],
    ['two URIs, the good one second', leaf({ by: middle, uris: ['https://x', `${TRUST}/a`] }), 'svid', 'SAN_MULTIPLE_URI'],
    ['no URI', leaf({ by: middle, uris: [], dns: ['example.org'] }), 'svid', 'SAN_MULTIPLE_URI'],
    ['a DNS name that looks like a URI', leaf({ by: middle, uris: [], dns: [`x, URI:${TRUST}/a`] }), 'svid', 'SAN_MULTIPLE_URI'],
    ['a URI that is no SPIFFE ID', leaf({ by: middle, uris: ['https://example.org/a'] }), 'svid', 'SPIFFE_ID_INVALID'],
    ['an ID with a comma and a second one inside', leaf({ by: middle, uris: [`${TRUST}/a, URI:${TRUST}/b`] }), 'svid', 'SPIFFE_ID_INVALID'],
    ['the ID of the trust domain itself', leaf({ by: middle, uris: [TRUST] }), 'svid', 'SPIFFE_ID_INVALID'],
    ['name constraints in a leaf', leaf({ by: middle, more: [uriNameConstraints(['example.org'])] }), 'svid', 'NAME_CONSTRAINT'],
    ['an empty subject without critical SAN', leaf({ by: middle, uris: [], more: [subjectAltName({ uris: [`${TRUST}/a`] }, false)] }), 'svid', 'CERT_INVALID'],
    ['a timestamp certificate whose EKU is not critical', certify({ name: 'tsa', by: signingRoot, extensions: [keyUsage(1), extendedKeyUsage([EKU.timeStamping])] }), 'timestamping', 'EXT_KEY_USAGE'],
    ['a timestamp certificate with a second purpose', certify({ name: 'tsa', by: signingRoot, extensions: [keyUsage(1), extendedKeyUsage([EKU.timeStamping, EKU.codeSigning], true)] }), 'timestamping', 'EXT_KEY_USAGE'],
    ['a signing certificate as timestamp authority', signing(), 'timestamping', 'EXT_KEY_USAGE'],
  ])('%s', (_, end, purpose, expected) => {
    expect(() => verify(end, { purpose })).toThrow(code(expected));
  });
});
