import { sha256, utf8 } from '../../../../src/base/bytes.ts';
import { toBase64, toBase64Url } from '../../../../src/base/base64.ts';
import type { Code } from '../../../../src/base/errors.ts';
import { toHex } from '../../../../src/base/hex.ts';
import { seededSigner } from '../../../fakes/seeded.ts';
import type { Link } from '../../../../src/verifier/verdict.ts';
import { ARTIFACT, type BundleAttack, bundleVerdict, type TamperRow } from './row.ts';

const DIGEST = toHex(sha256(ARTIFACT));
const TYPE = 'https://example.com/test/v1';

function statement(change: (text: Record<string, unknown>) => unknown = (text) => text): Uint8Array {
  return utf8(JSON.stringify(change({ _type: 'https://in-toto.io/Statement/v1', subject: [{ name: 'a', digest: { sha256: DIGEST } }], predicateType: TYPE, predicate: { ok: true } })));
}

function row(id: string, name: string, code: Code | 'ok', link: Link, attack: BundleAttack): TamperRow {
  return { id, name, code, link, attack: (universe) => bundleVerdict(universe, { expect: { artifact: { sha256: sha256(ARTIFACT) } }, ...attack }) };
}

/** A statement of these exact bytes, sealed as if the signer had read nothing of it. */
const sealed = (payload: Uint8Array | string): BundleAttack => ({ content: { statement: typeof payload === 'string' ? utf8(payload) : payload } });
const digest = (value: Record<string, unknown>): BundleAttack => sealed(statement((text) => ({ ...text, subject: [{ name: 'a', digest: value }] })));
const envelope = (change: (dsse: any) => void): BundleAttack => ({ content: { statement: statement() }, json: (bundle) => change(bundle.dsseEnvelope) });

const TEXT = Buffer.from(statement()).toString();
const withPredicate = (json: string): string => TEXT.replace('{"ok":true}', json);

/** Signs the PAE with the number of UTF-16 units where bytes are counted. */
const wrongPae: BundleAttack = {
  content: { statement: statement((text) => ({ ...text, predicate: { name: 'grün' } })) },
  seal: {
    signer: {
      ...seededSigner('wrong pae'),
      sign: (pae) => seededSigner('wrong pae').sign(Buffer.from(Buffer.from(pae).toString().replace(/ (\d+) \{/, (_, length: string) => ` ${Number(length) - 1} {`))),
    },
    key: seededSigner('wrong pae'),
  },
};

export const CONTENT_ROWS: readonly TamperRow[] = [
  row('X', 'an attestation about the artifact', 'ok', 'subject', sealed(statement())),
  row('T52', 'the payload type is application/json', 'TYPE_MISMATCH', 'format', envelope((dsse) => void (dsse.payloadType = 'application/json'))),
  row('T52', 'the payload type is that of a witness policy', 'TYPE_MISMATCH', 'format', envelope((dsse) => void (dsse.payloadType = 'https://witness.testifysec.com/policy/v0.1'))),
  row('T53', 'Statement v0.1', 'TYPE_MISMATCH', 'format', sealed(statement((text) => ({ ...text, _type: 'https://in-toto.io/Statement/v0.1' })))),
  row('T53', 'the predicate type is slsa.dev/provenance/v1.0', 'TYPE_MISMATCH', 'subject', {
    ...sealed(statement((text) => ({ ...text, predicateType: 'https://slsa.dev/provenance/v1.0' }))),
    expect: { artifact: { sha256: sha256(ARTIFACT) }, predicateType: 'https://slsa.dev/provenance/v1' },
  }),
  row('T53', 'a message signature where a statement was asked for', 'TYPE_MISMATCH', 'subject', { expect: { predicateType: TYPE, artifact: { sha256: sha256(ARTIFACT) } } }),
  row('T55', 'the signature counts characters, not bytes', 'SIG_INVALID', 'signature', wrongPae),
  row('T56', 'subject stands twice', 'JSON_DUPLICATE_KEY', 'format', sealed(TEXT.replace('"predicateType"', '"subject":[{"name":"b","digest":{"sha256":"00"}}],"predicateType"'))),
  row('T56', 'predicateType stands twice', 'JSON_DUPLICATE_KEY', 'format', sealed(TEXT.replace('"predicate":', '"predicateType":"https://example.com/other","predicate":'))),
  row('T56', 'a member of the bundle stands twice', 'JSON_DUPLICATE_KEY', 'format', {
    bytes: (bundle) => utf8(Buffer.from(bundle).toString().replace('"messageSignature":', '"mediaType":"x","messageSignature":')),
  }),
  row('T58', 'a number that a double rounds', 'JSON_LIMIT', 'format', sealed(withPredicate('{"n":12345678901234567890}'))),
  row('T58', 'nested too deeply', 'JSON_LIMIT', 'format', sealed(withPredicate(`${'[['.repeat(40)}${']]'.repeat(40)}`))),
  row('T58', '50 MB', 'JSON_LIMIT', 'format', { bytes: () => Buffer.alloc(50 * 1024 * 1024, 0x20) }),
  row('T58', 'a byte order mark', 'JSON_INVALID', 'format', sealed(`\ufeff${TEXT}`)),
  row('T58', 'invalid UTF-8', 'UTF8_INVALID', 'format', sealed(Buffer.from(TEXT.replace('"ok"', '"\u00ff"'), 'latin1'))),
  row('T58', 'a lone surrogate', 'JSON_INVALID', 'format', sealed(withPredicate('{"n":"\\ud800"}'))),
  row('T59', 'garbage in base64', 'BASE64_NONCANONICAL', 'format', envelope((dsse) => void (dsse.payload = `!!${dsse.payload}`))),
  row('T59', 'a line break in base64', 'BASE64_NONCANONICAL', 'format', envelope((dsse) => void (dsse.payload = `${dsse.payload.slice(0, 8)}\n${dsse.payload.slice(8)}`))),
  row('T59', 'URL-safe base64', 'BASE64_NONCANONICAL', 'format', envelope((dsse) => void (dsse.signatures[0].sig = toBase64Url(Buffer.from(dsse.signatures[0].sig, 'base64'))))),
  row('T59', 'padding in the middle', 'BASE64_NONCANONICAL', 'format', envelope((dsse) => void (dsse.payload = `QUI=${dsse.payload}`))),
  row('T61', 'keyid points to another key', 'SIG_INVALID', 'signature', {
    ...sealed(statement()), seal: { signer: seededSigner('somebody else') }, json: (bundle) => void (bundle.dsseEnvelope.signatures[0].keyid = 'the trusted one'),
  }),
  row('T61', 'the signature is by another key than the certificate', 'SIG_INVALID', 'signature', { seal: { signer: seededSigner('somebody else') } }),
  row('T62', 'only SHA-1', 'DIGEST_INVALID', 'format', digest({ sha1: 'a'.repeat(40) })),
  row('T62', 'upper-case hex', 'DIGEST_INVALID', 'format', digest({ sha256: DIGEST.toUpperCase() })),
  row('T62', 'a truncated digest', 'DIGEST_INVALID', 'format', digest({ sha256: DIGEST.slice(0, 40) })),
  row('T62', 'an odd number of digits', 'DIGEST_INVALID', 'format', digest({ sha256: DIGEST.slice(1) })),
  row('T62', 'a tail that is not hex', 'DIGEST_INVALID', 'format', digest({ sha256: `${DIGEST.slice(2)}zz` })),
  row('T62', 'an unknown algorithm', 'DIGEST_INVALID', 'format', digest({ crc32: 'deadbeef', sha256: DIGEST })),
  row('T62', 'the algorithm inside the value', 'DIGEST_INVALID', 'format', digest({ sha256: `sha256:${DIGEST}` })),
  row('T62', 'no digest at all', 'DIGEST_INVALID', 'format', digest({})),
  row('T64', 'the digest stands under gitoid:sha256', 'DIGEST_ALG_CONFUSION', 'format', digest({ 'gitoid:sha256': DIGEST, sha512: 'b'.repeat(128) })),
  row('T64', 'the digest stands under another algorithm of the same length', 'DIGEST_ALG_CONFUSION', 'subject', digest({ sha3_256: DIGEST, sha512: 'b'.repeat(128) })),
  row('T64', 'one value under two algorithms', 'DIGEST_ALG_CONFUSION', 'format', digest({ sha3_256: DIGEST, sha256: DIGEST })),
  row('T65', 'the name of the subject is right, its digest is not', 'SUBJECT_MISMATCH', 'subject', digest({ sha256: 'c'.repeat(64) })),
  row('T65', 'the bundle is about another artifact', 'SUBJECT_MISMATCH', 'artifact', { expect: { artifact: { sha256: sha256(utf8('another')) } } }),
  row('X', 'a hash in the bundle that is not that of the artifact', 'SUBJECT_MISMATCH', 'artifact', {
    json: (bundle) => void (bundle.messageSignature.messageDigest.digest = toBase64(sha256(utf8('another')))),
  }),
  row('X', 'two signatures in one envelope', 'BUNDLE_INVALID', 'format', envelope((dsse) => void dsse.signatures.push(dsse.signatures[0]))),
  row('X', 'a certificate chain in place of the certificate', 'BUNDLE_INVALID', 'format', {
    json: (bundle) => {
      const { certificate, ...rest } = bundle.verificationMaterial;
      bundle.verificationMaterial = { ...rest, x509CertificateChain: { certificates: [certificate] } };
    },
  }),
  row('X', 'an unknown member', 'BUNDLE_INVALID', 'format', { json: (bundle) => void (bundle.extra = true) }),
];
