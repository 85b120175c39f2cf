import { bundleFromJSON } from '@sigstore/bundle';
import { describe, expect, test } from 'vitest';
import { type Bundle, encodeBundle, parseBundle } from '../../../src/envelope/bundle.ts';
import { DSSE_BUNDLE, filler, MESSAGE_BUNDLE } from './sample.ts';

// the tests reach into JSON of which they know the shape
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any;

const code = (name: string) => expect.objectContaining({ code: name });
const jsonOf = (bundle: Bundle): Loose => JSON.parse(Buffer.from(encodeBundle(bundle)).toString());
const bytesOf = (json: Loose): Uint8Array => Buffer.from(JSON.stringify(json));
const changed = (bundle: Bundle, change: (json: Loose) => void): Uint8Array => {
  const json = jsonOf(bundle);
  change(json);
  return bytesOf(json);
};
const entry = (json: Loose): Loose => json.verificationMaterial.tlogEntries[0];

describe.each([
  ['message signature', MESSAGE_BUNDLE],
  ['DSSE', DSSE_BUNDLE],
])('a bundle with a %s', (_, bundle) => {
  test('reads what it writes, byte for byte', () => {
    const bytes = encodeBundle(bundle);
    expect(Buffer.from(encodeBundle(parseBundle(bytes)))).toEqual(Buffer.from(bytes));
  });

  test('is accepted by sigstore-js, with the same content', () => {
    const theirs = bundleFromJSON(jsonOf(bundle));
    expect(theirs.mediaType).toBe('application/vnd.dev.sigstore.bundle.v0.3+json');
    expect(theirs.verificationMaterial.tlogEntries).toHaveLength(1);
    expect(theirs.verificationMaterial.tlogEntries[0]).toMatchObject({ logIndex: '5', kindVersion: { kind: 'hashedrekord', version: '0.0.2' } });
    expect(theirs.content.$case).toBe(bundle.content.kind === 'message' ? 'messageSignature' : 'dsseEnvelope');
  });

  test('is accepted in the other spelling of the media type', () => {
    expect(parseBundle(changed(bundle, (json) => (json.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.3'))).tlogEntries).toHaveLength(1);
  });

  test('may leave out what is zero or empty, as protobuf writers do', () => {
    const parsed = parseBundle(
      changed(bundle, (json) => {
        delete entry(json).logIndex;
        delete entry(json).integratedTime;
        delete entry(json).inclusionProof.logIndex;
        delete entry(json).inclusionProof.hashes;
        delete json.verificationMaterial.timestampVerificationData;
      }),
    );
    expect(parsed.tlogEntries[0]).toMatchObject({ logIndex: 0, inclusionProof: { logIndex: 0, hashes: [] } });
    expect(parsed.timestamps).toEqual([]);
    expect(parseBundle(changed(bundle, (json) => delete json.verificationMaterial.tlogEntries)).tlogEntries).toEqual([]);
  });

  test.each<[string, string, (json: Loose) => void]>([
    ['version 0.1', 'BUNDLE_INVALID', (json) => (json.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.1')],
    ['version 0.2', 'BUNDLE_INVALID', (json) => (json.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.2')],
    ['version 0.4', 'BUNDLE_INVALID', (json) => (json.mediaType = 'application/vnd.dev.sigstore.bundle.v0.4+json')],
    ['no media type', 'BUNDLE_INVALID', (json) => delete json.mediaType],
    ['an unknown member', 'BUNDLE_INVALID', (json) => (json.note = 'x')],
    ['an unknown member of the material', 'BUNDLE_INVALID', (json) => (json.verificationMaterial.note = 'x')],
    ['an unknown member of the certificate', 'BUNDLE_INVALID', (json) => (json.verificationMaterial.certificate.note = 'x')],
    ['no material', 'BUNDLE_INVALID', (json) => delete json.verificationMaterial],
    ['no certificate', 'BUNDLE_INVALID', (json) => delete json.verificationMaterial.certificate],
    ['an empty certificate', 'BUNDLE_INVALID', (json) => (json.verificationMaterial.certificate.rawBytes = '')],
    ['a chain', 'BUNDLE_INVALID', (json) => (json.verificationMaterial.x509CertificateChain = { certificates: [json.verificationMaterial.certificate] })],
    ['a public key', 'BUNDLE_INVALID', (json) => (json.verificationMaterial.publicKey = { hint: 'x' })],
    ['no content', 'BUNDLE_INVALID', (json) => (delete json.messageSignature, delete json.dsseEnvelope)],
    ['both contents', 'BUNDLE_INVALID', (json) => Object.assign(json, jsonOf(MESSAGE_BUNDLE), jsonOf(DSSE_BUNDLE))],
    ['33 log entries', 'BUNDLE_INVALID', (json) => (json.verificationMaterial.tlogEntries = Array(33).fill(entry(json)))],
    ['33 timestamps', 'BUNDLE_INVALID', (json) => (json.verificationMaterial.timestampVerificationData.rfc3161Timestamps = Array.from({ length: 33 }, () => ({ signedTimestamp: 'AAAA' })))],
    ['an empty timestamp', 'BUNDLE_INVALID', (json) => (json.verificationMaterial.timestampVerificationData.rfc3161Timestamps = [{}])],
    ['base64 without padding', 'BASE64_NONCANONICAL', (json) => (json.verificationMaterial.timestampVerificationData.rfc3161Timestamps = [{ signedTimestamp: 'AA' }])],
    ['base64 of the URL alphabet', 'BASE64_NONCANONICAL', (json) => (entry(json).logId.keyId = `${'_'.repeat(43)}=`)],
    ['a certificate with a newline', 'BASE64_NONCANONICAL', (json) => (json.verificationMaterial.certificate.rawBytes += '\n')],
    ['a negative log index', 'TLOG_PARSE', (json) => (entry(json).logIndex = '-1')],
    ['a huge log index', 'TLOG_PARSE', (json) => (entry(json).logIndex = '9007199254740992')],
    ['a log index beyond 64 bits', 'TLOG_PARSE', (json) => (entry(json).logIndex = '99999999999999999999')],
    ['a hexadecimal size', 'TLOG_PARSE', (json) => (entry(json).inclusionProof.treeSize = '0x10')],
    ['blanks around a size', 'TLOG_PARSE', (json) => (entry(json).inclusionProof.treeSize = ' 5 ')],
    ['a leading zero', 'TLOG_PARSE', (json) => (entry(json).logIndex = '05')],
    ['a plus', 'TLOG_PARSE', (json) => (entry(json).logIndex = '+5')],
    ['an exponent', 'TLOG_PARSE', (json) => (entry(json).logIndex = '5e0')],
    ['a newline after the index', 'TLOG_PARSE', (json) => (entry(json).logIndex = '5\n')],
    ['an empty index', 'TLOG_PARSE', (json) => (entry(json).logIndex = '')],
    ['digits of another script', 'TLOG_PARSE', (json) => (entry(json).logIndex = '٥')],
    ['an index that is a number', 'TLOG_PARSE', (json) => (entry(json).logIndex = 5)],
    ['an integrated time', 'TLOG_PARSE', (json) => (entry(json).integratedTime = '1700000000')],
    ['an inclusion promise', 'TLOG_PARSE', (json) => (entry(json).inclusionPromise = { signedEntryTimestamp: 'AAAA' })],
    ['no proof', 'TLOG_PROOF', (json) => delete entry(json).inclusionProof],
    ['no checkpoint', 'TLOG_PARSE', (json) => delete entry(json).inclusionProof.checkpoint],
    ['a short log ID', 'TLOG_PARSE', (json) => (entry(json).logId.keyId = 'AAAAAA==')],
    ['a short root hash', 'TLOG_PARSE', (json) => (entry(json).inclusionProof.rootHash = 'AAAA')],
    ['a long proof hash', 'TLOG_PARSE', (json) => (entry(json).inclusionProof.hashes[1] = Buffer.alloc(33).toString('base64'))],
    ['65 proof hashes', 'TLOG_PARSE', (json) => (entry(json).inclusionProof.hashes = Array(65).fill(entry(json).inclusionProof.rootHash))],
    ['no body', 'TLOG_PARSE', (json) => delete entry(json).canonicalizedBody],
    ['a body larger than an entry', 'TLOG_PARSE', (json) => (entry(json).canonicalizedBody = Buffer.alloc(65_536).toString('base64'))],
    ['a log entry that is a list', 'TLOG_PARSE', (json) => (json.verificationMaterial.tlogEntries = [[]])],
  ])('is refused with %s', (_name, expected, change) => {
    expect(() => parseBundle(changed(bundle, change))).toThrow(code(expected));
  });

  test('is refused with a name twice, whichever reader would take the last', () => {
    const text = Buffer.from(encodeBundle(bundle)).toString();
    expect(() => parseBundle(Buffer.from(text.replace('{"certificate":', '{"certificate":{"rawBytes":"AAAA"},"certificate":')))).toThrow(code('JSON_DUPLICATE_KEY'));
  });
});

describe('message signatures', () => {
  test.each([32, 48, 64])('take a digest of %i bytes', (length) => {
    const bundle = { ...MESSAGE_BUNDLE, content: { kind: 'message' as const, digest: filler('d', length), signature: filler('s', 70) } };
    expect(parseBundle(encodeBundle(bundle)).content).toMatchObject({ digest: Buffer.from(bundle.content.digest) });
    expect(jsonOf(bundle).messageSignature.messageDigest.algorithm).toBe(`SHA2_${length * 8}`);
  });

  test('are not written with a digest of another length', () => {
    expect(() => encodeBundle({ ...MESSAGE_BUNDLE, content: { kind: 'message', digest: filler('d', 20), signature: filler('s', 70) } })).toThrow(code('DIGEST_INVALID'));
  });

  test.each<[string, (json: Loose) => void]>([
    ['no digest', (json) => delete json.messageSignature.messageDigest],
    ['another algorithm', (json) => (json.messageSignature.messageDigest.algorithm = 'SHA3_256')],
    ['the algorithm by number', (json) => (json.messageSignature.messageDigest.algorithm = 1)],
    ['a digest of the wrong length', (json) => (json.messageSignature.messageDigest.algorithm = 'SHA2_384')],
    ['no signature', (json) => delete json.messageSignature.signature],
    ['an empty signature', (json) => (json.messageSignature.signature = '')],
    ['an endless signature', (json) => (json.messageSignature.signature = Buffer.alloc(1025).toString('base64'))],
  ])('are refused with %s', (_, change) => {
    expect(() => parseBundle(changed(MESSAGE_BUNDLE, change))).toThrow(code('BUNDLE_INVALID'));
  });
});

describe('DSSE envelopes', () => {
  test('may carry a keyid, which nothing authenticates and nobody reads', () => {
    const parsed = parseBundle(changed(DSSE_BUNDLE, (json) => (json.dsseEnvelope.signatures[0].keyid = 'SHA256:trusted')));
    expect(parsed).toEqual(parseBundle(encodeBundle(DSSE_BUNDLE)));
  });

  test.each<[string, string, (json: Loose) => void]>([
    ['another payload type', 'TYPE_MISMATCH', (json) => (json.dsseEnvelope.payloadType = 'application/json')],
    ['the type of a predicate', 'TYPE_MISMATCH', (json) => (json.dsseEnvelope.payloadType = 'https://slsa.dev/provenance/v1')],
    ['the payload type in upper case', 'TYPE_MISMATCH', (json) => (json.dsseEnvelope.payloadType = 'application/vnd.in-toto+JSON')],
    ['no payload type', 'BUNDLE_INVALID', (json) => delete json.dsseEnvelope.payloadType],
    ['no signature', 'BUNDLE_INVALID', (json) => (json.dsseEnvelope.signatures = [])],
    ['two signatures', 'BUNDLE_INVALID', (json) => json.dsseEnvelope.signatures.push(json.dsseEnvelope.signatures[0])],
    ['a certificate beside the signature', 'BUNDLE_INVALID', (json) => (json.dsseEnvelope.signatures[0].cert = 'AAAA')],
    ['an empty payload', 'BUNDLE_INVALID', (json) => (json.dsseEnvelope.payload = '')],
    ['a payload of the URL alphabet', 'BASE64_NONCANONICAL', (json) => (json.dsseEnvelope.payload = '-_-_')],
    ['an unknown member', 'BUNDLE_INVALID', (json) => (json.dsseEnvelope.extra = 1)],
  ])('are refused with %s', (_, expected, change) => {
    expect(() => parseBundle(changed(DSSE_BUNDLE, change))).toThrow(code(expected));
  });
});
