import { concat } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';

/** A precertificate as a CT log holds it (RFC 6962 section 3.4, C2SP static-ct-api). */
export interface PrecertEntry {
  /** ms since the epoch */
  readonly timestamp: number;
  /** SHA-256 of the issuer's SPKI, 32 bytes */
  readonly issuerKeyHash: Uint8Array;
  /** TBSCertificate without poison and without SCT list, DER */
  readonly tbs: Uint8Array;
  /** place in the log; part of what the log signs (static-ct-api, leaf_index extension) */
  readonly leafIndex: number;
  /** the certificate as submitted, with poison, DER */
  readonly preCertificate: Uint8Array;
  /** SHA-256 of each issuer certificate, from the nearest up, 32 bytes each */
  readonly chain: readonly Uint8Array[];
}

/** CtExtensions with leaf_index alone: type 0, uint16 length 5, uint40 (C2SP static-ct-api, "Extensions"). */
export function leafIndexExtension(index: number): Uint8Array {
  return concat(Uint8Array.of(0x00 /* leaf_index */), uint(2, 5), uint(5, index));
}

/** TimestampedEntry of type precert_entry (RFC 6962 section 3.4). */
export function timestampedEntry(entry: Omit<PrecertEntry, 'preCertificate' | 'chain'>): Uint8Array {
  return concat(
    uint(8, entry.timestamp),
    uint(2, 1 /* precert_entry */),
    fixed(entry.issuerKeyHash),
    opaque(3, entry.tbs),
    opaque(2, leafIndexExtension(entry.leafIndex)),
  );
}

/** What is hashed into the tree: version, leaf type, TimestampedEntry (RFC 6962 section 3.4). */
export function merkleTreeLeaf(entry: Omit<PrecertEntry, 'preCertificate' | 'chain'>): Uint8Array {
  return concat(Uint8Array.of(0x00 /* v1 */, 0x00 /* timestamped_entry */), timestampedEntry(entry));
}

/** What a data tile holds of it (C2SP static-ct-api, TileLeaf). */
export function tileLeaf(entry: PrecertEntry): Uint8Array {
  return concat(timestampedEntry(entry), opaque(3, entry.preCertificate), opaque(2, concat(...entry.chain.map(fixed))));
}

/** The precertificate entries of a data tile, in order. Strict: our own log holds nothing else. Throws TLOG_PARSE. */
export function parseDataTile(tile: Uint8Array): { entry: PrecertEntry; bytes: Uint8Array }[] {
  const entries: { entry: PrecertEntry; bytes: Uint8Array }[] = [];
  for (let at = 0; at < tile.length; ) {
    const { entry, end } = readTileLeaf(tile, at);
    entries.push({ entry, bytes: tile.subarray(at, end) });
    at = end;
  }
  return entries;
}

function readTileLeaf(tile: Uint8Array, start: number): { entry: PrecertEntry; end: number } {
  let at = start;
  const take = (length: number) => {
    if (at + length > tile.length) throw invalid(start, 'the tile ends inside it');
    at += length;
    return tile.subarray(at - length, at);
  };
  const number = (width: number) => {
    const value = take(width).reduce((sum, byte) => sum * 256 + byte, 0);
    if (!Number.isSafeInteger(value)) throw invalid(start, 'a number above 2^53');
    return value;
  };
  const timestamp = number(8);
  if (number(2) !== 1) throw invalid(start, 'not a precertificate');
  const issuerKeyHash = take(32);
  const tbs = take(number(3));
  if (number(2) !== 8 || number(1) !== 0 || number(2) !== 5) throw invalid(start, 'extensions other than leaf_index');
  const leafIndex = number(5);
  const preCertificate = take(number(3));
  const fingerprints = take(number(2));
  if (fingerprints.length % 32 !== 0) throw invalid(start, 'a chain that is not made of SHA-256 fingerprints');
  const chain: Uint8Array[] = [];
  for (let i = 0; i < fingerprints.length; i += 32) chain.push(fingerprints.subarray(i, i + 32));
  return { entry: { timestamp, issuerKeyHash, tbs, leafIndex, preCertificate, chain }, end: at };
}

/** TreeHeadSignature: what a CT log signs for a checkpoint (RFC 6962 section 3.5). */
export function treeHeadSignedData({ timestamp, size, root }: { timestamp: number; size: number; root: Uint8Array }): Uint8Array {
  return concat(Uint8Array.of(0x00 /* v1 */, 0x01 /* tree_hash */), uint(8, timestamp), uint(8, size), fixed(root));
}

/**
 * RFC6962NoteSignature: uint64 timestamp, then DigitallySigned by ECDSA with SHA-256 (C2SP static-ct-api, RFC 5246
 * section 4.7). `signature` is DER.
 */
export function encodeTreeHeadSignature(timestamp: number, signature: Uint8Array): Uint8Array {
  return concat(uint(8, timestamp), Uint8Array.of(0x04 /* sha256 */, 0x03 /* ecdsa */), opaque(2, signature));
}

/** The inverse. Throws CHECKPOINT_INVALID. */
export function parseTreeHeadSignature(bytes: Uint8Array): { timestamp: number; signature: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || view.getUint16(8) !== 0x0403 || view.getUint16(10) !== bytes.length - 12) {
    throw new StepsealError('CHECKPOINT_INVALID', 'not an RFC 6962 tree head signature by ECDSA with SHA-256');
  }
  return { timestamp: Number(view.getBigUint64(0)), signature: bytes.subarray(12) };
}

function uint(width: number, value: number): Uint8Array {
  const out = new Uint8Array(width);
  let rest = value;
  for (let i = width - 1; i >= 0; i--) {
    out[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  if (rest !== 0 || !Number.isSafeInteger(value) || value < 0) {
    throw new StepsealError('TLOG_PARSE', `not a number of ${width} bytes`, { found: String(value) });
  }
  return out;
}

function opaque(width: number, bytes: Uint8Array): Uint8Array {
  return concat(uint(width, bytes.length), bytes);
}

function fixed(hash: Uint8Array): Uint8Array {
  if (hash.length !== 32) {
    throw new StepsealError('TLOG_PARSE', 'a hash of the wrong length', { expected: '32 bytes', found: `${hash.length} bytes` });
  }
  return hash;
}

function invalid(start: number, found: string): StepsealError {
  return new StepsealError('TLOG_PARSE', `no precertificate entry at byte ${start} of the data tile`, { found });
}
