import { describe, expect, test } from 'vitest';
import { toHex } from '../../../src/base/hex.ts';
import { bitString, explicit, integer, nul, oid, sequence, set } from '../../../src/der/write.ts';
import { buildCsr, parseCsr } from '../../../src/x509/csr.ts';
import { subjectAltName } from '../../../src/x509/extensions.ts';
import { describeName, distinguishedName } from '../../../src/x509/names.ts';
import { flip, testKey } from '../../fakes/pki.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const URI = 'spiffe://example.org/spire/agent/join_token/x';
const key = testKey();
const REQUEST = oid('1.2.840.113549.1.9.14');
const sanRequest = sequence(REQUEST, set(sequence(subjectAltName({ uris: [URI], dns: ['x.org'] }, false))));
const ECDSA = sequence(oid('1.2.840.10045.4.3.2'));

function crafted({ version = integer(0), attributes = [sanRequest], algorithm = ECDSA, subject = distinguishedName({ commonName: 'x' }), tail = [] as Uint8Array[] } = {}): Uint8Array {
  const info = sequence(version, subject, key.spki, explicit(0, ...attributes), ...tail);
  return sequence(info, algorithm, bitString(key.sign(info)));
}

describe('a certificate request', () => {
  test.each(['ecdsa-p256-sha256', 'ecdsa-p384-sha384', 'ecdsa-p521-sha512', 'ed25519', 'rsa-pkcs1-sha256'] as const)('that we build with a key for %s reads back', async (algorithm) => {
    const own = testKey(algorithm);
    const request = parseCsr(await buildCsr(own.spki, URI, (data) => own.sign(data)));
    expect(toHex(request.spki)).toBe(toHex(own.spki));
    expect(request.sanUris).toEqual([URI]);
    expect(request.subject).toHaveLength(2);
  });

  test('may name nothing', async () => {
    expect(parseCsr(await buildCsr(key.spki, undefined, async (data) => key.sign(data)))).toMatchObject({ sanUris: [], sanDns: [] });
  });

  test('may have a subject, DNS names and attributes of other kinds', () => {
    const request = parseCsr(crafted({ attributes: [sequence(oid('1.2.840.113549.1.9.7'), set(nul())), sanRequest] }));
    expect(request).toMatchObject({ sanUris: [URI], sanDns: ['x.org'], publicKey: { algorithm: 'ecdsa-p256' } });
    expect(describeName(request.subject)).toBe('CN=x');
  });

  test.each<[string, Uint8Array, string]>([
    ['of version 2', crafted({ version: integer(1) }), 'CSR_INVALID'],
    ['with extensions requested twice', crafted({ attributes: [sanRequest, sanRequest] }), 'CSR_INVALID'],
    ['with two values of the extension request', crafted({ attributes: [sequence(REQUEST, set(sequence(subjectAltName({ uris: [URI] }, false)), sequence(subjectAltName({ uris: ['x:y'] }, false))))] }), 'CSR_INVALID'],
    ['with a malformed attribute', crafted({ attributes: [sequence(REQUEST)] }), 'CSR_INVALID'],
    ['with another field', crafted({ tail: [nul()] }), 'CSR_INVALID'],
    ['with an extension twice', crafted({ attributes: [sequence(REQUEST, set(sequence(subjectAltName({ uris: [URI] }, false), subjectAltName({ uris: [URI] }, false))))] }), 'CSR_INVALID'],
    ['with trailing bytes', Buffer.concat([crafted(), Buffer.of(0)]), 'CSR_INVALID'],
    ['signed with SHA-1', crafted({ algorithm: sequence(oid('1.2.840.10045.4.1')) }), 'ALG_NOT_ALLOWED'],
    ['signed with the algorithm of another curve', crafted({ algorithm: sequence(oid('1.2.840.10045.4.3.3')) }), 'CSR_INVALID'],
    ['that is empty', new Uint8Array(), 'CSR_INVALID'],
    ['above 16 KiB', new Uint8Array(16_385), 'CSR_INVALID'],
  ])('%s is refused', (_, der, expected) => {
    expect(() => parseCsr(der)).toThrow(code(expected));
  });

  test('with any bit of it changed is refused', async () => {
    const der = await buildCsr(key.spki, URI, (data) => key.sign(data));
    for (let at = 0; at < der.length; at++) expect(() => parseCsr(flip(der, at, at % 8)), `byte ${at}`).toThrow(expect.objectContaining({ name: 'StepsealError' }));
  });
});
