import { EMPTY_ROOT, nodeHash } from './hash.ts';

/**
 * The roots of the complete subtrees that a tree of `size` leaves consists of, largest first: all that is needed to
 * append and to know the root. Never changed in place.
 */
export interface CompactRange {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

export const EMPTY_RANGE: CompactRange = { size: 0, hashes: [] };

/** The range with one more leaf hash. */
export function appendLeaf(range: CompactRange, hash: Uint8Array): CompactRange {
  const hashes = [...range.hashes];
  let top = hash;
  // every trailing one bit of the old size is a complete subtree that the new leaf completes to a larger one
  for (let rest = range.size; rest % 2 === 1; rest = (rest - 1) / 2) top = nodeHash(hashes.pop()!, top);
  hashes.push(top);
  return { size: range.size + 1, hashes };
}

/** Merkle tree hash of the range (RFC 6962 section 2.1). */
export function rangeRoot(range: CompactRange): Uint8Array {
  if (range.size === 0) return EMPTY_ROOT;
  return range.hashes.reduceRight((right, left) => nodeHash(left, right));
}
