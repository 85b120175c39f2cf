import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial } from '@sigstore/verify';
import { verifyTLogBody, verifyTLogInclusion } from '@sigstore/verify/dist/tlog/index.js';
import { describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../../src/base/bytes.ts';
import { type Bundle, encodeBundle, parseBundle } from '../../../src/envelope/bundle.ts';
import { encodeHashedRekord, HASHED_REKORD, type HashedRekord } from '../../../src/envelope/hashedRekord.ts';
import { encodeTrustedRoot } from '../../../src/envelope/trustedRoot.ts';
import { formatCheckpoint } from '../../../src/merkle/checkpoint.ts';
import { leafHash } from '../../../src/merkle/hash.ts';
import { logKeyId } from '../../../src/merkle/keyId.ts';
import { signNote } from '../../../src/merkle/note.ts';
import { trustedRoot } from '../../../src/trust/trustedRoot.ts';
import { issuingCa, selfSigned, signingLeaf } from './certificates.ts';

const ORIGIN = 'log-0a1b2c3d.example.org';
const START = Date.UTC(2026, 0, 1);
const root = selfSigned('Signing root');
const ca = issuingCa('Signing CA', root);
const leaf = signingLeaf('spiffe://example.org/a', ca);
const log = generateKeyPairSync('ed25519');
const logSpki = new Uint8Array(log.publicKey.export({ format: 'der', type: 'spki' }));
const keyId = logKeyId(ORIGIN, logSpki);
const artifact = utf8('an artifact');

const material = toTrustMaterial(
  TrustedRoot.fromJSON(
    JSON.parse(
      Buffer.from(
        encodeTrustedRoot(
          trustedRoot({
            trustDomain: 'example.org',
            signing: [{ uri: 'https://example.org', certificates: [ca.der, root.der], validFor: { start: START } }],
            timestamping: [],
            tlogs: [{ origin: ORIGIN, spki: logSpki, validFor: { start: START } }],
            ctlogs: [],
          }),
        ),
      ).toString(),
    ),
  ),
);

/** A log with this one entry, whose Ed25519 checkpoint is signed whole. */
async function logged(entry: HashedRekord): Promise<Bundle> {
  const canonicalizedBody = encodeHashedRekord(entry);
  const rootHash = leafHash(canonicalizedBody);
  const checkpoint = await signNote(formatCheckpoint({ origin: ORIGIN, size: 1, root: rootHash }), { name: ORIGIN, keyId, sign: (data) => sign(null, data, log.privateKey) });
  return {
    certificate: leaf.der,
    timestamps: [],
    tlogEntries: [{ logIndex: 0, logId: keyId, kindVersion: HASHED_REKORD, canonicalizedBody, inclusionProof: { logIndex: 0, treeSize: 1, rootHash, hashes: [], checkpoint } }],
    content: { kind: 'message', digest: entry.digest, signature: entry.signature },
  };
}

/** The two steps of sigstore-js' verifier that concern the log; certificates and timestamps have tests of their own. */
function verifyWithSigstoreJs(bundle: Bundle): void {
  const entity = toSignedEntity(bundleFromJSON(JSON.parse(Buffer.from(encodeBundle(bundle)).toString())), Buffer.from(artifact));
  for (const entry of entity.tlogEntries) {
    verifyTLogBody(entry, entity.signature);
    verifyTLogInclusion(entry, material.tlogs);
  }
  expect(entity.tlogEntries).toHaveLength(1);
  expect(entity.signature.verifySignature(createPublicKey({ key: Buffer.from(leaf.spki), format: 'der', type: 'spki' }))).toBe(true);
}

describe('sigstore-js', async () => {
  const signature = sign('sha256', artifact, leaf.privateKey);
  const entry: HashedRekord = { digest: sha256(artifact), signature, certificate: leaf.der, keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
  const bundle = await logged(entry);

  test('verifies a bundle of ours, its log entry and its Ed25519 checkpoint, with our trusted root', () => {
    expect(() => verifyWithSigstoreJs(bundle)).not.toThrow();
    expect(() => verifyWithSigstoreJs(parseBundle(encodeBundle(bundle)))).not.toThrow();
  });

  test('refuses an entry about another signature', async () => {
    const other = await logged({ ...entry, signature: sign('sha256', artifact, leaf.privateKey) });
    expect(() => verifyWithSigstoreJs({ ...other, content: bundle.content })).toThrow(expect.objectContaining({ code: 'TLOG_BODY_ERROR' }));
  });

  test('refuses another artifact digest in the entry', async () => {
    const other = await logged({ ...entry, digest: sha256(utf8('another')) });
    expect(() => verifyWithSigstoreJs({ ...other, content: bundle.content })).toThrow();
  });
});
