import { describe, expect, test } from 'vitest';
import { sha256 } from '../../../src/base/bytes.ts';
import { toHex } from '../../../src/base/hex.ts';
import { leafIndexExtension, timestampedEntry } from '../../../src/merkle/ct.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { extension, poison, sctList } from '../../../src/x509/extensions.ts';
import { EKU, EXTENSION } from '../../../src/x509/oids.ts';
import { precertTbs } from '../../../src/x509/precert.ts';
import { embeddedScts, encodeSct, encodeSctList, leafIndexOf, parseSctList, sctSignedData, verifySct, type CtLogKey, type Sct } from '../../../src/x509/sct.ts';
import { authority, certify, flip, leaf, NOW, testKey, type Holder } from '../../fakes/pki.ts';

const INVALID = expect.objectContaining({ code: 'SCT_INVALID' });
const ca = authority({ name: 'ca' });
const ctKey = testKey();
const LOG: CtLogKey = { spki: ctKey.spki, validFor: { start: NOW - 1_000 } };
const subject = testKey();

/** A certificate that embeds an SCT made over its own precertificate. */
function logged(change: Partial<Sct> = {}, options: { by?: Holder; key?: typeof ctKey; extra?: Uint8Array[]; times?: number } = {}): Certificate {
  const { by = ca, key = ctKey, extra = [], times = 1 } = options;
  const shape = { by, key: subject, uris: ['spiffe://example.org/a'], ekus: [EKU.codeSigning], serial: new Uint8Array(16).fill(9) };
  const tbs = precertTbs(leaf(shape).certificate.tbs);
  const extensions = leafIndexExtension(7);
  const data = sctSignedData({ issuerKeyHash: sha256(by.key.spki), tbs, timestamp: NOW, extensions });
  const sct = encodeSct({ logId: sha256(key.spki), timestamp: NOW, extensions, signature: key.sign(data), ...change });
  // subject and authority key identifiers come after: the order of the rest does not matter to the log
  return leaf({ ...shape, more: [sctList(encodeSctList(...Array<Uint8Array>(times).fill(sct), ...extra))] }).certificate;
}

describe('a signed certificate timestamp', () => {
  test('verifies over the certificate without the SCT list', () => {
    const sct = verifySct(logged(), ca.key.spki, [LOG]);
    expect(sct.timestamp).toBe(NOW);
    expect(leafIndexOf(sct)).toBe(7);
  });

  test('is over what the log hashes into its tree: the signed data ends with the TimestampedEntry', () => {
    const entry = { timestamp: NOW, issuerKeyHash: sha256(ca.key.spki), tbs: ca.certificate.tbs, leafIndex: 2 ** 33 + 5 };
    const data = sctSignedData({ ...entry, extensions: leafIndexExtension(entry.leafIndex) });
    expect(toHex(data)).toBe(`0000${toHex(timestampedEntry(entry))}`);
  });

  test('by a log that is not known is skipped beside one that is', () => {
    const stranger = encodeSct({ logId: new Uint8Array(32), timestamp: NOW, extensions: new Uint8Array(), signature: new Uint8Array(8) });
    expect(verifySct(logged({}, { extra: [stranger] }), ca.key.spki, [LOG]).timestamp).toBe(NOW);
  });

  test.each<[string, () => unknown]>([
    ['that is missing', () => verifySct(leaf({ by: ca }).certificate, ca.key.spki, [LOG])],
    ['by an unknown log', () => verifySct(logged(), ca.key.spki, [{ ...LOG, spki: testKey().spki }])],
    ['when no log is trusted', () => verifySct(logged(), ca.key.spki, [])],
    ['by another key under the name of the log', () => verifySct(logged({ logId: sha256(ctKey.spki) }, { key: testKey() }), ca.key.spki, [LOG])],
    ['with another time', () => verifySct(logged({ timestamp: NOW + 1 }), ca.key.spki, [LOG])],
    ['with another leaf index', () => verifySct(logged({ extensions: leafIndexExtension(8) }), ca.key.spki, [LOG])],
    ['without its extensions', () => verifySct(logged({ extensions: new Uint8Array() }), ca.key.spki, [LOG])],
    ['of another issuer', () => verifySct(logged(), testKey().spki, [LOG])],
    ['before its log was trusted', () => verifySct(logged(), ca.key.spki, [{ ...LOG, validFor: { start: NOW + 1 } }])],
    ['after its log was trusted', () => verifySct(logged(), ca.key.spki, [{ ...LOG, validFor: { start: 0, end: NOW - 1 } }])],
    ['of the known log that is bad beside a good one', () => verifySct(logged({}, { extra: [encodeSct({ logId: sha256(ctKey.spki), timestamp: NOW, extensions: new Uint8Array(), signature: new Uint8Array(8) })] }), ca.key.spki, [LOG])],
    ['in an extension that is no OCTET STRING', () => embeddedScts(leaf({ more: [extension(EXTENSION.sctList, false, Uint8Array.of(5, 0))] }).certificate)],
  ])('%s is refused', (_, run) => {
    expect(run).toThrow(INVALID);
  });

  test('both ends of the time of a log are included', () => {
    verifySct(logged(), ca.key.spki, [{ ...LOG, validFor: { start: NOW, end: NOW } }]);
  });
});

describe('the list of SCTs', () => {
  const sct: Sct = { logId: new Uint8Array(32).fill(1), timestamp: NOW, extensions: leafIndexExtension(1), signature: Uint8Array.of(1, 2, 3) };
  const one = encodeSct(sct);

  test('reads back', () => {
    expect(parseSctList(encodeSctList(one, one))).toEqual([sct, sct]);
  });

  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['an empty list', Uint8Array.of(0, 0)],
    ['an empty SCT', Uint8Array.of(0, 2, 0, 0)],
    ['a length that is too short', encodeSctList(one).subarray(1)],
    ['bytes after the list', Buffer.concat([encodeSctList(one), Buffer.of(0)])],
    ['bytes after an SCT', encodeSctList(Buffer.concat([one, Buffer.of(0)]))],
    ['an SCT of version 2', encodeSctList(flip(one, 0))],
    ['an SCT of another hash', encodeSctList(flip(one, one.length - 7))],
    ['an SCT of another signature algorithm', encodeSctList(flip(one, one.length - 6))],
    ['a time after 9999', encodeSctList(encodeSct({ ...sct, timestamp: 253_402_300_800_000 }))],
    ['a time above 2^53', encodeSctList(flip(one, 33, 6))],
    ['17 SCTs', encodeSctList(...Array<Uint8Array>(17).fill(one))],
  ])('with %s is refused', (_, bytes) => {
    expect(() => parseSctList(bytes)).toThrow(INVALID);
  });

  test('a leaf index is read from a leaf_index extension alone', () => {
    const of = (extensions: Uint8Array) => leafIndexOf({ ...sct, extensions });
    expect(of(leafIndexExtension(2 ** 40 - 1))).toBe(2 ** 40 - 1);
    for (const other of [new Uint8Array(), flip(leafIndexExtension(1), 0), flip(leafIndexExtension(1), 2), Buffer.concat([leafIndexExtension(1), Buffer.of(0)])]) expect(of(other)).toBeUndefined();
  });
});

describe('the precertificate TBS', () => {
  test('is the final TBS without SCT list and the precertificate without poison, and nothing else', () => {
    const shape = { by: ca, key: subject, serial: new Uint8Array(16).fill(3) };
    const plain = leaf(shape).certificate.tbs;
    expect(toHex(precertTbs(plain))).toBe(toHex(plain));
    expect(toHex(precertTbs(leaf({ ...shape, more: [poison()] }).certificate.tbs))).toBe(toHex(plain));
    expect(toHex(precertTbs(leaf({ ...shape, more: [sctList(new Uint8Array(300))] }).certificate.tbs))).toBe(toHex(plain));
  });

  test('has no empty extensions', () => {
    const { certificate } = certify({ name: 'x', extensions: [] });
    const kept = precertTbs(certificate.tbs);
    expect(kept.length).toBe(certificate.tbs.length);
  });
});
