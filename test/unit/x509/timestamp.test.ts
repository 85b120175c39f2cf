import { describe, expect, test } from 'vitest';
import { sha256 } from '../../../src/base/bytes.ts';
import { toHex } from '../../../src/base/hex.ts';
import { boolean, encode, explicit, integer, nul, octetString, oid, sequence, set, utf8String } from '../../../src/der/write.ts';
import { signedAttributes } from '../../../src/x509/cms.ts';
import { hashIdentifier, imprintOf } from '../../../src/x509/imprint.ts';
import { assembleTimestampResponse, parseTimestampResponse, rejectTimestamp, verifyTimestamp } from '../../../src/x509/timestamp.ts';
import { buildTimestampRequest, parseTimestampRequest } from '../../../src/x509/timestampRequest.ts';
import { parseTstInfo, tstInfo } from '../../../src/x509/tstInfo.ts';
import { authority, certify, flip, leaf, NOW, testKey, tsaLeaf, type Holder } from '../../fakes/pki.ts';
import { extendedKeyUsage, keyUsage } from '../../../src/x509/extensions.ts';
import { EKU } from '../../../src/x509/oids.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const root = authority({ name: 'signing root', uri: 'spiffe://example.org' });
const tsa = tsaLeaf({ by: root });
const SIGNATURE = Buffer.from('a signature');
const IMPRINT = imprintOf('sha256', Uint8Array.from(sha256(SIGNATURE)));
const POLICY = '1.3.6.1.4.1.57264.2';
const chainOf = (holder: Holder) => [holder.certificate, root.certificate];
const AUTHORITY = { chain: chainOf(tsa), validFor: { start: NOW - 10_000 } };

interface Change {
  by?: Holder;
  embedded?: Holder[];
  genTime?: number;
  info?: (der: Uint8Array) => Uint8Array;
  certificate?: Holder;
  imprint?: typeof IMPRINT;
}

function stamp({ by = tsa, embedded = [], genTime = NOW, info = (der) => der, certificate = by, imprint = IMPRINT }: Change = {}): Uint8Array {
  const { algorithm } = by.key;
  const content = tstInfo({ policy: POLICY, imprint, serial: Uint8Array.of(1, 2), genTime, nonce: Uint8Array.of(5) });
  const attributes = signedAttributes({ tstInfo: content, certificate: certificate.certificate, algorithm, signingTime: genTime });
  return assembleTimestampResponse({
    tstInfo: info(content), signedAttributes: attributes, signature: by.key.sign(attributes), algorithm, certificate: by.certificate,
    certificates: embedded.map((each) => each.certificate),
  });
}

const verify = (response: Uint8Array, authorities: readonly (typeof AUTHORITY & { validFor: { end?: number } })[] = [AUTHORITY], signatureBytes: Uint8Array = SIGNATURE) =>
  verifyTimestamp({ response, signatureBytes, authorities });

describe('a timestamp request', () => {
  test.each([
    { imprint: IMPRINT, certReq: false },
    { imprint: IMPRINT, certReq: true, nonce: Uint8Array.of(0, 0xff), policy: POLICY },
    { imprint: imprintOf('sha512', new Uint8Array(64)), certReq: true, nonce: Uint8Array.of(0x80) },
  ])('reads back', (request) => {
    expect(parseTimestampRequest(buildTimestampRequest(request))).toEqual(request);
  });

  test('may carry NULL parameters of the hash, and a response repeats them', () => {
    const der = sequence(sequence(oid('2.16.840.1.101.3.4.2.1'), nul()), octetString(IMPRINT.digest));
    expect(toHex(parseTimestampRequest(sequence(integer(1), der)).imprint.der)).toBe(toHex(der));
  });

  const imprint = (hash: Uint8Array, length: number) => sequence(integer(1), sequence(hash, octetString(new Uint8Array(length))));
  test.each<[string, Uint8Array, string]>([
    ['with SHA-1', imprint(sequence(oid('1.3.14.3.2.26')), 20), 'ALG_NOT_ALLOWED'],
    ['with a digest that is too short', imprint(hashIdentifier('sha256'), 31), 'TIMESTAMP_INVALID'],
    ['of version 2', sequence(integer(2), IMPRINT.der), 'TIMESTAMP_INVALID'],
    ['with certReq FALSE written out', sequence(integer(1), IMPRINT.der, boolean(false)), 'TIMESTAMP_INVALID'],
    ['with extensions', sequence(integer(1), IMPRINT.der, encode(0xa0, nul())), 'TIMESTAMP_INVALID'],
    ['with a nonce of 65 bytes', sequence(integer(1), IMPRINT.der, integer(new Uint8Array(65).fill(1))), 'TIMESTAMP_INVALID'],
    ['with fields in another order', sequence(integer(1), IMPRINT.der, boolean(true), integer(5)), 'TIMESTAMP_INVALID'],
    ['with trailing bytes', Buffer.concat([buildTimestampRequest({ imprint: IMPRINT, certReq: false }), Buffer.of(0)]), 'TIMESTAMP_INVALID'],
    ['that is JSON', Buffer.from('{}'), 'TIMESTAMP_INVALID'],
    ['above 4 KiB', new Uint8Array(4097), 'TIMESTAMP_INVALID'],
  ])('%s is refused', (_, der, expected) => {
    expect(() => parseTimestampRequest(der)).toThrow(code(expected));
  });
});

describe('a timestamp', () => {
  test('verifies with the time and the authority', () => {
    expect(verify(stamp())).toEqual({ time: NOW, authority: AUTHORITY });
  });

  test('says what it is about', () => {
    const response = parseTimestampResponse(stamp({ embedded: [tsa] }));
    expect(response).toMatchObject({ policy: POLICY, genTime: NOW, imprint: { hash: 'sha256' }, serial: Uint8Array.of(1, 2), nonce: Uint8Array.of(5) });
    expect(response.certificates.map((each) => toHex(each.der))).toEqual([toHex(tsa.certificate.der)]);
  });

  test('may embed the chain of its authority', () => {
    verify(stamp({ embedded: [tsa, root] }));
    verify(stamp({ embedded: [root, tsa] }));
  });

  test.each(['ecdsa-p384-sha384', 'ecdsa-p521-sha512', 'rsa-pkcs1-sha256'] as const)('by a key for %s verifies', (algorithm) => {
    const by = tsaLeaf({ by: root, key: testKey(algorithm) });
    verify(stamp({ by }), [{ ...AUTHORITY, chain: chainOf(by) }]);
  });

  test('cannot be signed with Ed25519', () => {
    expect(() => stamp({ by: tsaLeaf({ by: root, key: testKey('ed25519') }) })).toThrow(code('ALG_NOT_ALLOWED'));
  });

  test('counts within the closed time of its authority, of which there may be several', () => {
    verify(stamp(), [{ ...AUTHORITY, validFor: { start: NOW, end: NOW } }]);
    const authorities = [{ ...AUTHORITY, validFor: { start: 0, end: 1 } }, AUTHORITY];
    expect(verify(stamp(), authorities).authority).toBe(AUTHORITY);
  });

  const other = tsaLeaf({ by: root, name: 'other tsa' });
  const twin = tsaLeaf({ by: root, serial: tsa.certificate.serial });
  const serverLeaf = leaf({ by: root, name: 'server' });
  const doubled = certify({ name: 'tsa', by: root, extensions: [keyUsage(1), extendedKeyUsage([EKU.timeStamping, EKU.codeSigning], true)] });
  const stranger = authority({ name: 'stranger' });
  test.each<[string, () => unknown, string]>([
    ['over another signature', () => verify(stamp(), [AUTHORITY], Buffer.from('b')), 'TIMESTAMP_MISMATCH'],
    ['by an authority that is not trusted', () => verify(stamp({ by: other, embedded: [other] })), 'TSA_UNTRUSTED'],
    ['when none is trusted', () => verify(stamp(), []), 'TSA_UNTRUSTED'],
    ['by another certificate with the same issuer and serial', () => verify(stamp({ by: twin })), 'TIMESTAMP_INVALID'],
    ['by a key under the name of another certificate', () => verify(stamp({ by: { certificate: tsa.certificate, key: testKey() } })), 'TIMESTAMP_INVALID'],
    ['signed for another certificate', () => verify(stamp({ certificate: other })), 'TIMESTAMP_INVALID'],
    ['that embeds a certificate of somebody else', () => verify(stamp({ embedded: [tsa, stranger] })), 'TSA_UNTRUSTED'],
    ['before its authority was trusted', () => verify(stamp({ genTime: NOW - 11_000 })), 'TSA_UNTRUSTED'],
    ['after its authority was trusted', () => verify(stamp(), [{ ...AUTHORITY, validFor: { start: 0, end: NOW - 1 } }]), 'TSA_UNTRUSTED'],
    ['after its certificate ended', () => verify(stamp({ genTime: NOW + 3_601_000 })), 'TSA_UNTRUSTED'],
    ['by a certificate without the purpose', () => verify(stamp({ by: serverLeaf }), [{ ...AUTHORITY, chain: chainOf(serverLeaf) }]), 'TSA_UNTRUSTED'],
    ['by a certificate with a second purpose', () => verify(stamp({ by: doubled }), [{ ...AUTHORITY, chain: chainOf(doubled) }]), 'TSA_UNTRUSTED'],
    ['by an authority', () => verify(stamp({ by: root }), [{ ...AUTHORITY, chain: [root.certificate, root.certificate] }]), 'TSA_UNTRUSTED'],
    ['whose chain ends at another root', () => verify(stamp(), [{ ...AUTHORITY, chain: [tsa.certificate, stranger.certificate] }]), 'TSA_UNTRUSTED'],
    ['whose trusted chain is the leaf alone', () => verify(stamp(), [{ ...AUTHORITY, chain: [tsa.certificate] }]), 'TSA_UNTRUSTED'],
    ['whose content was changed', () => verify(stamp({ info: (der) => flip(der, der.length - 1) })), 'TIMESTAMP_INVALID'],
  ])('%s is refused', (_, run, expected) => {
    expect(run).toThrow(code(expected));
  });

  test('with any single bit changed is refused, embedded certificates included', () => {
    const response = stamp({ embedded: [tsa, root] });
    for (let at = 0; at < response.length; at++) {
      for (const bit of [0, at % 7 + 1]) expect(() => verify(flip(response, at, bit)), `byte ${at}, bit ${bit}`).toThrow(expect.objectContaining({ name: 'StepsealError' }));
    }
  });
});

describe('a timestamp response is refused as malformed', () => {
  test.each<[string, Uint8Array]>([
    ['with status rejection', rejectTimestamp('badAlg', 'no SHA-1')],
    ['with status grantedWithMods', sequence(sequence(integer(1)), parseTimestampResponse(stamp()).token)],
    ['with text beside the status', sequence(sequence(integer(0), sequence(utf8String('ok'))), parseTimestampResponse(stamp()).token)],
    ['with a token that is not SignedData', sequence(sequence(integer(0)), sequence(oid('1.2.840.113549.1.7.1'), explicit(0, octetString())))],
    ['without a token', sequence(sequence(integer(0)))],
    ['as a bare token', parseTimestampResponse(stamp()).token],
    ['above 64 KiB', new Uint8Array(65_537)],
  ])('%s', (_, der) => {
    expect(() => parseTimestampResponse(der)).toThrow(code('TIMESTAMP_INVALID'));
  });

  test('a rejection names its reason as a bit and in words', () => {
    expect(toHex(rejectTimestamp('badAlg', 'x'))).toBe(toHex(sequence(sequence(integer(2), sequence(utf8String('x')), Uint8Array.of(3, 2, 7, 0x80)))));
    expect(toHex(rejectTimestamp('systemFailure', 'x'))).toContain('03050600000040');
  });
});

describe('TSTInfo', () => {
  const time = (text: string) => encode(0x18, Buffer.from(text));
  const info = (...rest: Uint8Array[]) => sequence(integer(1), oid(POLICY), IMPRINT.der, integer(7), ...rest);

  test('has a fraction, accuracy, ordering and the name of the authority where it likes', () => {
    const der = info(time('20260304050607.25Z'), sequence(integer(1)), boolean(true), integer(9), explicit(0, encode(0x82, Buffer.from('x'))));
    expect(parseTstInfo(der)).toMatchObject({ genTime: NOW + 250, nonce: Uint8Array.of(9) });
  });

  test.each<[string, Uint8Array, string]>([
    ['extensions', info(time('20260304050607Z'), encode(0xa1, nul())), 'DER_INVALID'],
    ['ordering FALSE written out', info(time('20260304050607Z'), boolean(false)), 'DER_INVALID'],
    ['another version', sequence(integer(2), oid(POLICY), IMPRINT.der, integer(7), time('20260304050607Z')), 'TIMESTAMP_INVALID'],
    ['a UTCTime', info(encode(0x17, Buffer.from('260304050607Z'))), 'DER_INVALID'],
    ['no time', info(), 'DER_INVALID'],
    ['a set of imprints', sequence(integer(1), oid(POLICY), set(IMPRINT.der), integer(7), time('20260304050607Z')), 'DER_INVALID'],
  ])('with %s is refused', (_, der, expected) => {
    expect(() => parseTstInfo(der)).toThrow(code(expected));
  });
});
