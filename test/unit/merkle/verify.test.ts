import { describe, expect, it } from 'vitest';
import { leafHash, nodeHash } from '../../../src/merkle/hash.ts';
import { consistencyProof, inclusionProof, viewTree } from '../../../src/merkle/proof.ts';
import { verifyConsistency, verifyInclusion } from '../../../src/merkle/verify.ts';
import { hashAtOf } from './tree.ts';

const SIZE = 40;
const leaves = Array.from({ length: SIZE }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));
const hashAt = hashAtOf(leaves);
const root = (size: number) => viewTree(size, hashAt).root();
const other = leafHash(Buffer.from('another'));

function refusal(code: string): unknown {
  return expect.objectContaining({ code });
}

describe('inclusion', () => {
  it('verifies for every leaf of every size', () => {
    for (let size = 1; size <= SIZE; size++) {
      for (let index = 0; index < size; index++) verifyInclusion({ index, size, leafHash: leaves[index]!, proof: inclusionProof(index, size, hashAt), root: root(size) });
    }
  });

  it('is refused for any other index, size, leaf, hash, length or root', () => {
    for (const [index, size] of [[0, 1], [0, 2], [5, 8], [6, 7], [20, 37], [36, 37]] as const) {
      const good = { index, size, leafHash: leaves[index]!, proof: inclusionProof(index, size, hashAt), root: root(size) };
      const wrong = refusal('TLOG_PROOF');
      expect(() => verifyInclusion({ ...good, leafHash: other })).toThrow(wrong);
      expect(() => verifyInclusion({ ...good, root: other })).toThrow(wrong);
      expect(() => verifyInclusion({ ...good, proof: [...good.proof, other] })).toThrow(wrong);
      expect(() => verifyInclusion({ ...good, proof: [other, ...good.proof] })).toThrow(wrong);
      if (size > 1) expect(() => verifyInclusion({ ...good, proof: good.proof.slice(0, -1) })).toThrow(wrong);
      for (const i of good.proof.keys()) expect(() => verifyInclusion({ ...good, proof: good.proof.with(i, other) })).toThrow(wrong);
      for (let at = 0; at < size; at++) if (at !== index) expect(() => verifyInclusion({ ...good, index: at })).toThrow(wrong);
      expect(() => verifyInclusion({ ...good, size: size * 2 + 1 })).toThrow(wrong);
      expect(() => verifyInclusion({ ...good, proof: good.proof.map((hash) => hash.subarray(1)), leafHash: other.subarray(1) })).toThrow(wrong);
    }
  });

  it.each([-1, 1.5, NaN, 2 ** 53, 40])('is refused for the index %d of 40', (index) => {
    expect(() => verifyInclusion({ index, size: SIZE, leafHash: other, proof: [], root: other })).toThrow(refusal('TLOG_PARSE'));
    expect(() => inclusionProof(index, SIZE, hashAt)).toThrow(refusal('TLOG_PARSE'));
  });

  it('works beyond 32 bits', () => {
    // all leaves alike, so every complete subtree of one level is alike and a tree of any size can be looked at
    const levels: Uint8Array[] = [leaves[0]!];
    const uniform = (level: number): Uint8Array => {
      while (levels.length <= level) levels.push(nodeHash(levels.at(-1)!, levels.at(-1)!));
      return levels[level]!;
    };
    for (const size of [2 ** 32 + 1, 2 ** 48 + 1, 2 ** 52 + 12_345, 2 ** 53 - 1]) {
      const tree = viewTree(size, uniform);
      for (const index of [0, 2 ** 31, 2 ** 32, size - 1]) {
        verifyInclusion({ index, size, leafHash: leaves[0]!, proof: tree.inclusion(index), root: tree.root() });
      }
      const older = 2 ** 32 - 7;
      verifyConsistency({ olderSize: older, olderRoot: viewTree(older, uniform).root(), newerSize: size, newerRoot: tree.root(), proof: tree.consistency(older) });
    }
  });
});

describe('consistency', () => {
  it('verifies between all sizes', () => {
    for (let newer = 0; newer <= SIZE; newer++) {
      for (let older = 0; older <= newer; older++) {
        verifyConsistency({ olderSize: older, olderRoot: root(older), newerSize: newer, newerRoot: root(newer), proof: consistencyProof(older, newer, hashAt) });
      }
    }
  });

  it('is refused for any other size, hash, length or root', () => {
    for (const [older, newer] of [[1, 2], [4, 8], [6, 8], [7, 15], [20, 37], [32, 40]] as const) {
      const good = { olderSize: older, olderRoot: root(older), newerSize: newer, newerRoot: root(newer), proof: consistencyProof(older, newer, hashAt) };
      const wrong = refusal('TLOG_PROOF');
      expect(() => verifyConsistency({ ...good, olderRoot: other })).toThrow(wrong);
      expect(() => verifyConsistency({ ...good, newerRoot: other })).toThrow(wrong);
      expect(() => verifyConsistency({ ...good, proof: [] })).toThrow(wrong);
      expect(() => verifyConsistency({ ...good, proof: [...good.proof, other] })).toThrow(wrong);
      expect(() => verifyConsistency({ ...good, proof: good.proof.slice(1) })).toThrow(wrong);
      for (const i of good.proof.keys()) expect(() => verifyConsistency({ ...good, proof: good.proof.with(i, other) })).toThrow(wrong);
      expect(() => verifyConsistency({ ...good, olderSize: older + 1 })).toThrow(wrong);
    }
  });

  it('is refused for a tree that shrinks, for equal sizes with two roots, and for a proof that is not needed', () => {
    expect(() => verifyConsistency({ olderSize: 5, olderRoot: root(5), newerSize: 4, newerRoot: root(4), proof: [] })).toThrow(refusal('TLOG_PARSE'));
    expect(() => verifyConsistency({ olderSize: 5, olderRoot: root(5), newerSize: 5, newerRoot: other, proof: [] })).toThrow(refusal('TLOG_PROOF'));
    expect(() => verifyConsistency({ olderSize: 5, olderRoot: root(5), newerSize: 5, newerRoot: root(5), proof: [other] })).toThrow(refusal('TLOG_PROOF'));
    expect(() => verifyConsistency({ olderSize: 0, olderRoot: root(0), newerSize: 5, newerRoot: root(5), proof: [other] })).toThrow(refusal('TLOG_PROOF'));
    expect(() => consistencyProof(5, 4, hashAt)).toThrow(refusal('TLOG_PARSE'));
  });
});
