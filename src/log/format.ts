import { sha256 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { ENTRY_LIMIT, frameEntry, splitBundle } from '../merkle/bundle.ts';
import { merkleTreeLeaf, parseDataTile, type PrecertEntry, tileLeaf } from '../merkle/ct.ts';
import { leafHash } from '../merkle/hash.ts';

/** One entry as it lies in an entries tile, and what the tree needs of it. */
export interface StoredEntry {
  /** as the reader of one entry gets it */
  readonly body: Uint8Array;
  /** as it lies in the tile */
  readonly framed: Uint8Array;
  readonly leafHash: Uint8Array;
  /** what makes two submissions the same entry, 32 bytes */
  readonly key: Uint8Array;
}

/** How one kind of log writes its entries. */
export interface LogFormat {
  /** name of the entries tiles: tile/<name>/… */
  readonly tiles: 'entries' | 'data';
  /** Entries of a tile, in order; `first` is the log index of the first. Throws TLOG_PARSE. */
  split(bundle: Uint8Array, first: number): StoredEntry[];
}

/** C2SP tlog-tiles: the leaf is the entry. */
export const TLOG: LogFormat = {
  tiles: 'entries',
  split: (bundle) => splitBundle(bundle).map(tlogEntry),
};

/** Throws LOG_ENTRY_SIZE. */
export function tlogEntry(body: Uint8Array): StoredEntry {
  const hash = leafHash(body);
  return { body, framed: frameEntry(body), leafHash: hash, key: hash };
}

/** C2SP static-ct-api: the leaf is an RFC 6962 MerkleTreeLeaf, the tile holds more beside it. */
export const STATIC_CT: LogFormat = {
  tiles: 'data',
  split: (bundle, first) =>
    parseDataTile(bundle).map(({ entry }, i) => {
      if (entry.leafIndex !== first + i) {
        throw new StepsealError('TLOG_PARSE', 'an entry carries the index of another place', {
          expected: String(first + i),
          found: String(entry.leafIndex),
        });
      }
      return ctEntry(entry);
    }),
};

/** Throws LOG_ENTRY_SIZE, TLOG_PARSE for numbers and hashes that have no encoding. */
export function ctEntry(entry: PrecertEntry): StoredEntry {
  const body = tileLeaf(entry);
  if (body.length > ENTRY_LIMIT) {
    throw new StepsealError('LOG_ENTRY_SIZE', 'a certificate that is too long for the log', {
      expected: `at most ${ENTRY_LIMIT} bytes`,
      found: `${body.length} bytes`,
    });
  }
  return { body, framed: body, leafHash: leafHash(merkleTreeLeaf(entry)), key: ctKey(entry) };
}

/** A certificate is the same one whenever it is submitted, so its time is not part of it. */
export function ctKey({ issuerKeyHash, tbs }: Pick<PrecertEntry, 'issuerKeyHash' | 'tbs'>): Uint8Array {
  return sha256(issuerKeyHash, tbs);
}
