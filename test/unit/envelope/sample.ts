import { sha256, utf8 } from '../../../src/base/bytes.ts';
import type { Bundle } from '../../../src/envelope/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE } from '../../../src/envelope/dsse.ts';
import { encodeHashedRekord } from '../../../src/envelope/hashedRekord.ts';
import { encodeStatement, STATEMENT_TYPE, type Statement } from '../../../src/envelope/statement.ts';

/** Bytes that look random and are not. */
export function filler(seed: string, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += 32) out.set(sha256(utf8(`${seed} ${at}`)).subarray(0, length - at), at);
  return out;
}

export const DIGEST = sha256(utf8('an artifact'));
const CERTIFICATE = filler('certificate', 900);
const SIGNATURE = filler('signature', 71);

/** Right in shape; the signatures in it are none. */
export const MESSAGE_BUNDLE: Bundle = {
  certificate: CERTIFICATE,
  tlogEntries: [
    {
      logIndex: 5,
      logId: filler('log', 32),
      kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
      inclusionProof: {
        logIndex: 5,
        treeSize: 9,
        rootHash: filler('root', 32),
        hashes: [filler('a', 32), filler('b', 32), filler('c', 32)],
        checkpoint: 'log-00000000.example.org\n9\nAAAA\n\n— log-00000000.example.org AAAA\n',
      },
      canonicalizedBody: encodeHashedRekord({ digest: DIGEST, signature: SIGNATURE, certificate: CERTIFICATE, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }),
    },
  ],
  timestamps: [filler('timestamp', 700)],
  content: { kind: 'message', digest: DIGEST, signature: SIGNATURE },
};

export const STATEMENT: Statement = {
  _type: STATEMENT_TYPE,
  subject: [{ name: 'a.tgz', digest: { sha256: Buffer.from(DIGEST).toString('hex') } }],
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: { buildDefinition: { buildType: 'https://example.org/build/v1' } },
};

export const DSSE_BUNDLE: Bundle = {
  ...MESSAGE_BUNDLE,
  content: { kind: 'dsse', payload: encodeStatement(STATEMENT), payloadType: IN_TOTO_PAYLOAD_TYPE, signature: SIGNATURE },
};
