import { StepsealError } from '../base/errors.ts';
import { EMPTY_ROOT, nodeHash } from './hash.ts';

/** Hash of the complete subtree over leaves [index·2^level, (index+1)·2^level). */
export type HashAt = (level: number, index: number) => Uint8Array;

/** A tree of one size, looked at; remembers the ragged right-hand subtrees, so that many proofs cost little. */
export interface TreeView {
  root(): Uint8Array;
  /** Audit path of the leaf, leaf end first (RFC 6962 section 2.1.1). Throws TLOG_PARSE unless index < size. */
  inclusion(index: number): Uint8Array[];
  /** From the tree of the first `older` leaves to this one (RFC 6962 section 2.1.2). Throws TLOG_PARSE unless 0 <= older <= size. */
  consistency(older: number): Uint8Array[];
}

/** `hashAt` is asked only for complete subtrees inside the first `size` leaves. */
export function viewTree(size: number, hashAt: HashAt): TreeView {
  assertIndex('tree size', size);
  const ragged = new Map<number, Uint8Array>();

  // MTH of leaves [begin, end); `begin` is a multiple of the largest power of two that is not more than end - begin
  function subtree(begin: number, end: number): Uint8Array {
    const width = end - begin;
    if (isPowerOfTwo(width)) return hashAt(Math.round(Math.log2(width)), begin / width);
    const known = ragged.get(begin);
    if (known) return known;
    const middle = begin + splitPoint(width);
    const hash = nodeHash(subtree(begin, middle), subtree(middle, end));
    // a subtree that is not complete always reaches to the end of the tree it was asked for
    if (end === size) ragged.set(begin, hash);
    return hash;
  }

  return {
    root: () => (size === 0 ? EMPTY_ROOT : subtree(0, size)),
    inclusion(index) {
      assertIndex('leaf index', index);
      if (index >= size) {
        throw new StepsealError('TLOG_PARSE', 'the leaf is not in the tree', { expected: `an index below ${size}`, found: String(index) });
      }
      const proof: Uint8Array[] = [];
      let begin = 0;
      let end = size;
      while (end - begin > 1) {
        const middle = begin + splitPoint(end - begin);
        if (index < middle) {
          proof.push(subtree(middle, end));
          end = middle;
        } else {
          proof.push(subtree(begin, middle));
          begin = middle;
        }
      }
      return proof.reverse();
    },
    consistency(older) {
      assertIndex('older tree size', older);
      if (older > size) throw new StepsealError('TLOG_PARSE', 'the older tree is larger', { expected: `at most ${size}`, found: String(older) });
      if (older === 0 || older === size) return [];
      const proof: Uint8Array[] = [];
      let begin = 0;
      let end = size;
      // RFC 6962 section 2.1.2: SUBPROOF(m, D[n], b), unrolled from the root down
      while (older < end) {
        const middle = begin + splitPoint(end - begin);
        if (older <= middle) {
          proof.push(subtree(middle, end));
          end = middle;
        } else {
          proof.push(subtree(begin, middle));
          begin = middle;
        }
      }
      if (begin !== 0) proof.push(subtree(begin, end));
      return proof.reverse();
    },
  };
}

/** Audit path of leaf `index` in the tree of `size` leaves. */
export function inclusionProof(index: number, size: number, hashAt: HashAt): Uint8Array[] {
  return viewTree(size, hashAt).inclusion(index);
}

/** Proof that the tree of `older` leaves is a prefix of the tree of `size` leaves. */
export function consistencyProof(older: number, size: number, hashAt: HashAt): Uint8Array[] {
  return viewTree(size, hashAt).consistency(older);
}

/** Largest power of two below n, n > 1 (RFC 6962 section 2.1: k < n <= 2k). Sizes exceed 32 bits, so no bit operators. */
function splitPoint(n: number): number {
  let k = 2 ** Math.floor(Math.log2(n));
  // Math.log2 may round up close to 2^53
  while (k >= n) k /= 2;
  return k;
}

/** Exact up to 2^53, where Math.log2 alone rounds to whole numbers. */
export function isPowerOfTwo(n: number): boolean {
  return 2 ** Math.round(Math.log2(n)) === n;
}

/** Throws TLOG_PARSE unless `value` is a whole number from 0 to 2^53 - 1. */
export function assertIndex(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new StepsealError('TLOG_PARSE', `${what} is not a size or index`, { expected: 'a whole number from 0 to 2^53 - 1', found: String(value) });
  }
}
