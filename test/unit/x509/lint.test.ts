import { describe, expect, test } from 'vitest';
import { nul } from '../../../src/der/write.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { evidenceExtension } from '../../../src/x509/evidence.ts';
import {
  basicConstraints, extendedKeyUsage, extension, fulcioExtension, keyUsage, poison, sctList, subjectAltName, uriNameConstraints,
} from '../../../src/x509/extensions.ts';
import { lintCertificate, type Profile } from '../../../src/x509/lint.ts';
import { EKU, KEY_USAGE } from '../../../src/x509/oids.ts';
import { authority, certify, leaf, SVID_EKUS, tsaLeaf } from '../../fakes/pki.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const TRUST = 'spiffe://example.org';
const DAY = 24 * 3_600_000;
const root = authority({ name: 'root', uri: TRUST });
const FULCIO = [fulcioExtension(1, 'https://example.org'), fulcioExtension(8, 'https://example.org'), fulcioExtension(24, `${TRUST}/a`), evidenceExtension({ custody: 'seal' })];
const SCT = sctList(new Uint8Array(4));

const svidCa = (options: Parameters<typeof authority>[0] = {}) => authority({ by: root, uri: TRUST, pathLength: 0, life: DAY, ...options }).certificate;
const svid = (options: Parameters<typeof leaf>[0] = {}) => leaf({ by: root, life: 3_600_000, ...options }).certificate;
const intermediate = (options: Parameters<typeof authority>[0] = {}) =>
  authority({ by: root, uri: TRUST, pathLength: 0, ekus: [EKU.codeSigning], permitted: ['example.org'], ...options }).certificate;
const signing = (options: Parameters<typeof leaf>[0] = {}) => leaf({ by: root, ekus: [EKU.codeSigning], life: 610_000, more: [...FULCIO, SCT], ...options }).certificate;
const without = (index: number) => FULCIO.filter((_, at) => at !== index);

describe('profiles of DESIGN section 5', () => {
  test.each<[Profile, Certificate]>([
    ['identity-root', authority({ name: 'root', uri: TRUST, life: 3650 * DAY }).certificate],
    ['signing-root', authority({ name: 'root', uri: TRUST, life: 3650 * DAY, usage: KEY_USAGE.keyCertSign }).certificate],
    ['svid-ca', svidCa()],
    ['svid-ca', svidCa({ permitted: ['example.org'] })],
    ['svid', svid({ dns: ['example.org'] })],
    ['svid', svid({ name: 'workload', usage: KEY_USAGE.digitalSignature | KEY_USAGE.keyAgreement })],
    ['signing-intermediate', intermediate()],
    ['signing', signing()],
    ['signing', signing({ more: [...FULCIO, poison()] })],
    ['tsa', tsaLeaf({ by: root, life: 365 * DAY }).certificate],
  ])('a %s that is right passes', (profile, certificate) => {
    lintCertificate(certificate, profile);
  });

  test.each<[string, Profile, Certificate, string?]>([
    ['a serial of 7 octets', 'svid', svid({ serial: new Uint8Array(7).fill(1) })],
    ['no time at all', 'svid', svid({ life: 0 })],
    ['a life of two hours', 'svid', svid({ life: 7_200_000 })],
    ['a signing life of 12 minutes', 'signing', signing({ life: 720_000 })],
    ['an unknown critical extension', 'svid', svid({ more: [extension('1.2.3', true, nul())] })],
    ['a poison outside a signing certificate', 'svid', svid({ more: [poison()] })],
    ['no authority key identifier', 'svid', leaf({ life: 3_600_000 }).certificate],
    ['a root that somebody else signed', 'identity-root', authority({ by: root, uri: TRUST }).certificate],
    ['an intermediate that signed itself', 'svid-ca', authority({ uri: TRUST, pathLength: 0 }).certificate],
    ['more key usage than the profile', 'signing', signing({ usage: KEY_USAGE.digitalSignature | KEY_USAGE.keyEncipherment })],
    ['no key usage', 'svid', svid({ usage: null })],
    ['keyCertSign in a leaf', 'svid', svid({ usage: KEY_USAGE.digitalSignature | KEY_USAGE.keyCertSign })],
    ['a leaf that is a CA', 'svid', svidCa()],
    ['a CA that is none', 'svid-ca', svid()],
    ['a path length of 1', 'svid-ca', svidCa({ pathLength: 1 })],
    ['a root with a path length', 'identity-root', authority({ uri: TRUST, pathLength: 0 }).certificate],
    ['EKU in a root', 'signing-root', authority({ uri: TRUST, ekus: [EKU.codeSigning] }).certificate],
    ['no EKU in a signing intermediate', 'signing-intermediate', authority({ by: root, uri: TRUST, pathLength: 0, permitted: ['example.org'] }).certificate],
    ['EKU of an SVID in a signing certificate', 'signing', signing({ ekus: SVID_EKUS })],
    ['server authentication alone', 'svid', svid({ ekus: [EKU.serverAuth] })],
    ['a root without the ID of the trust domain', 'identity-root', authority({}).certificate],
    ['no name constraint in a signing intermediate', 'signing-intermediate', authority({ by: root, uri: TRUST, pathLength: 0, ekus: [EKU.codeSigning] }).certificate],
    ['a constraint to another trust domain', 'signing-intermediate', intermediate({ permitted: ['other.org'] })],
    ['a constraint to what is below the trust domain', 'signing-intermediate', intermediate({ permitted: ['.example.org'] })],
    ['a constraint to two hosts', 'signing-intermediate', intermediate({ permitted: ['example.org', 'other.org'] })],
    ['an excluded subtree', 'signing-intermediate', intermediate({ excluded: ['x.example.org'] })],
    ['a constraint in a root', 'signing-root', authority({ uri: TRUST, permitted: ['example.org'] }).certificate],
    ['a constraint in a leaf', 'svid', svid({ more: [uriNameConstraints(['example.org'])] })],
    ['an authority whose ID has a path', 'svid-ca', svidCa({ uri: `${TRUST}/ca` }), 'SPIFFE_ID_INVALID'],
    ['an SVID with two URIs', 'svid', svid({ uris: [`${TRUST}/a`, `${TRUST}/b`] }), 'SAN_MULTIPLE_URI'],
    ['an SVID of the trust domain itself', 'svid', svid({ uris: [TRUST] }), 'SPIFFE_ID_INVALID'],
    ['a SAN that is critical beside a subject', 'svid', svid({ name: 'x', uris: [], more: [subjectAltName({ uris: [`${TRUST}/a`] }, true)] })],
    ['a subject in a signing certificate', 'signing', signing({ name: 'x' })],
    ['a DNS name in a signing certificate', 'signing', signing({ dns: ['example.org'] })],
    ['no SCT', 'signing', signing({ more: FULCIO })],
    ['SCT and poison', 'signing', signing({ more: [...FULCIO, SCT, poison()] })],
    ['no extension .1', 'signing', signing({ more: [...without(0), SCT] })],
    ['no extension .8', 'signing', signing({ more: [...without(1), SCT] })],
    ['no extension .24', 'signing', signing({ more: [...without(2), SCT] })],
    ['no evidence', 'signing', signing({ more: [...without(3), SCT] })],
    ['two issuers', 'signing', signing({ more: [...without(0), fulcioExtension(1, 'https://other.org'), SCT] })],
    ['EKU of a timestamp authority not critical', 'tsa', certify({ name: 'tsa', by: root, extensions: [keyUsage(1), extendedKeyUsage([EKU.timeStamping])] }).certificate],
    ['a timestamp authority without subject', 'tsa', certify({ name: '', by: root, extensions: [keyUsage(1), extendedKeyUsage([EKU.timeStamping], true)] }).certificate],
    ['basicConstraints that are not critical', 'svid', svid({ more: [extension('2.5.29.19', false, Uint8Array.of(0x30, 0))] })],
  ])('%s is a fault of the profile %s', (_, profile, certificate, expected = 'CERT_PROFILE') => {
    expect(() => lintCertificate(certificate, profile)).toThrow(code(expected));
  });

  test('an OID component that Go cannot read is a fault', () => {
    const { certificate } = leaf({ by: root, life: 3_600_000 });
    const large = { ...certificate, extensions: [...certificate.extensions, { oid: '2.25.2147483648', critical: false, value: nul() }] };
    expect(() => lintCertificate(large, 'svid')).toThrow(expect.objectContaining({ code: 'CERT_PROFILE', expected: 'every OID component below 2^31' }));
  });

  test('a subject key identifier of another method is a fault', () => {
    const { certificate } = leaf({ by: root, life: 3_600_000 });
    expect(() => lintCertificate({ ...certificate, subjectKeyIdentifier: new Uint8Array(20) }, 'svid')).toThrow(code('CERT_PROFILE'));
  });

  test('basicConstraints may stand in a leaf when they are critical', () => {
    lintCertificate(svid({ more: [basicConstraints(false)] }), 'svid');
  });
});
