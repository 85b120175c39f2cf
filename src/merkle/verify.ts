import { equalBytes } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { HASH_SIZE, nodeHash } from './hash.ts';
import { assertIndex, isPowerOfTwo } from './proof.ts';

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  /** audit path, leaf end first */
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/**
 * RFC 9162 section 2.1.3.2 over whole numbers of up to 53 bits. Throws TLOG_PARSE for impossible numbers, TLOG_PROOF
 * where the proof does not lead from the leaf to the root.
 */
export function verifyInclusion(claim: InclusionClaim): void {
  assertIndex('leaf index', claim.index);
  assertIndex('tree size', claim.size);
  if (claim.index >= claim.size) {
    throw new StepsealError('TLOG_PARSE', 'the leaf is not in the tree', { expected: `an index below ${claim.size}`, found: String(claim.index) });
  }
  assertHashes([claim.leafHash, ...claim.proof, claim.root]);
  let fn = claim.index;
  let sn = claim.size - 1;
  let r = claim.leafHash;
  for (const p of claim.proof) {
    if (sn === 0) throw tooLong();
    if (odd(fn) || fn === sn) {
      r = nodeHash(p, r);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      r = nodeHash(r, p);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw new StepsealError('TLOG_PROOF', 'the inclusion proof is too short');
  assertRoot('inclusion', r, claim.root);
}

export interface ConsistencyClaim {
  readonly olderSize: number;
  readonly olderRoot: Uint8Array;
  readonly newerSize: number;
  readonly newerRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** RFC 9162 section 2.1.4.2. Throws TLOG_PARSE for impossible numbers, TLOG_PROOF where one tree is not a prefix of the other. */
export function verifyConsistency(claim: ConsistencyClaim): void {
  const { olderSize, newerSize } = claim;
  assertIndex('older tree size', olderSize);
  assertIndex('newer tree size', newerSize);
  if (olderSize > newerSize) {
    throw new StepsealError('TLOG_PARSE', 'the older tree is larger', { expected: `at most ${newerSize}`, found: String(olderSize) });
  }
  assertHashes([claim.olderRoot, claim.newerRoot, ...claim.proof]);
  if (olderSize === newerSize || olderSize === 0) {
    if (claim.proof.length !== 0) throw tooLong();
    if (olderSize === newerSize) assertRoot('consistency', claim.olderRoot, claim.newerRoot);
    return;
  }
  // a complete older tree is its own first node; the proof leaves it out
  const path = isPowerOfTwo(olderSize) ? [claim.olderRoot, ...claim.proof] : [...claim.proof];
  let fn = olderSize - 1;
  let sn = newerSize - 1;
  while (odd(fn)) {
    fn = half(fn);
    sn = half(sn);
  }
  const first = path.shift();
  if (!first) throw new StepsealError('TLOG_PROOF', 'the consistency proof is empty');
  let fr = first;
  let sr = first;
  for (const c of path) {
    if (sn === 0) throw tooLong();
    if (odd(fn) || fn === sn) {
      fr = nodeHash(c, fr);
      sr = nodeHash(c, sr);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      sr = nodeHash(sr, c);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw new StepsealError('TLOG_PROOF', 'the consistency proof is too short');
  assertRoot('consistency', fr, claim.olderRoot);
  assertRoot('consistency', sr, claim.newerRoot);
}

function odd(n: number): boolean {
  return n % 2 === 1;
}

function half(n: number): number {
  return Math.floor(n / 2);
}

function tooLong(): StepsealError {
  return new StepsealError('TLOG_PROOF', 'the proof has hashes left over');
}

function assertHashes(hashes: readonly Uint8Array[]): void {
  for (const hash of hashes) {
    if (hash.length !== HASH_SIZE) {
      throw new StepsealError('TLOG_PROOF', 'a hash of the wrong length', { expected: '32 bytes', found: `${hash.length} bytes` });
    }
  }
}

function assertRoot(what: string, found: Uint8Array, expected: Uint8Array): void {
  if (!equalBytes(found, expected)) {
    throw new StepsealError('TLOG_PROOF', `the ${what} proof leads to another root`, { expected: toHex(expected), found: toHex(found) });
  }
}
