import { toBase64 } from '../base/base64.ts';
import { StepsealError } from '../base/errors.ts';
import type { JsonObject } from '../base/json.ts';
import type { Reader } from '../base/read.ts';
import { readBytes, readInt64, readList } from './fields.ts';

export interface InclusionProof {
  readonly logIndex: number;
  readonly treeSize: number;
  /** 32 bytes */
  readonly rootHash: Uint8Array;
  /** leaf to root, 32 bytes each */
  readonly hashes: readonly Uint8Array[];
  /** signed note, as text */
  readonly checkpoint: string;
}

/** dev.sigstore.rekor.v1.TransparencyLogEntry, as a Rekor v2 log answers it: no promise, no integrated time. */
export interface TlogEntry {
  readonly logIndex: number;
  /** 32 bytes, the whole key ID of the C2SP signed note */
  readonly logId: Uint8Array;
  readonly kindVersion: { readonly kind: string; readonly version: string };
  readonly inclusionProof: InclusionProof;
  /** the log's leaf */
  readonly canonicalizedBody: Uint8Array;
}

const HASH = { length: 32 };
// C2SP tlog-tiles: entries carry a 16-bit length
const MAX_BODY = 65_535;
// a tree below 2^53 leaves is at most 53 levels deep
const MAX_HASHES = 64;

/** The JSON of a log entry, to stand in a bundle or as a Rekor v2 reply. */
export function tlogEntryJson(entry: TlogEntry): JsonObject {
  const proof = entry.inclusionProof;
  return {
    logIndex: String(entry.logIndex),
    logId: { keyId: toBase64(entry.logId) },
    kindVersion: { ...entry.kindVersion },
    integratedTime: '0',
    inclusionProof: {
      logIndex: String(proof.logIndex),
      rootHash: toBase64(proof.rootHash),
      treeSize: String(proof.treeSize),
      hashes: proof.hashes.map(toBase64),
      checkpoint: { envelope: proof.checkpoint },
    },
    canonicalizedBody: toBase64(entry.canonicalizedBody),
  };
}

/** Shape and ranges only; whether proof, body and bundle agree is the verifier's. The reader's code is TLOG_PARSE. */
export function readTlogEntry(reader: Reader): TlogEntry {
  reader.only('logIndex', 'logId', 'kindVersion', 'integratedTime', 'inclusionProof', 'canonicalizedBody');
  // a time without a promise that signs it is nobody's word (Rekor v2 has none)
  const integratedTime = reader.at('integratedTime');
  if (readInt64(integratedTime) !== 0) integratedTime.fail('0');
  const kindVersion = reader.at('kindVersion').only('kind', 'version');
  if (!reader.at('inclusionProof').present) throw new StepsealError('TLOG_PROOF', `${reader.path} has no inclusion proof`);
  const proof = reader.at('inclusionProof').only('logIndex', 'rootHash', 'treeSize', 'hashes', 'checkpoint');
  return {
    logIndex: readInt64(reader.at('logIndex')),
    logId: readBytes(reader.at('logId').only('keyId').at('keyId'), HASH),
    kindVersion: { kind: kindVersion.at('kind').string(), version: kindVersion.at('version').string() },
    inclusionProof: {
      logIndex: readInt64(proof.at('logIndex')),
      treeSize: readInt64(proof.at('treeSize')),
      rootHash: readBytes(proof.at('rootHash'), HASH),
      hashes: readList(proof.at('hashes'), MAX_HASHES).map((hash) => readBytes(hash, HASH)),
      checkpoint: proof.at('checkpoint').only('envelope').at('envelope').string(),
    },
    canonicalizedBody: readBytes(reader.at('canonicalizedBody'), { max: MAX_BODY }),
  };
}
