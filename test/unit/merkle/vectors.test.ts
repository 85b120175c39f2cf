import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../src/base/hex.ts';
import { EMPTY_ROOT, leafHash, nodeHash } from '../../../src/merkle/hash.ts';
import { consistencyProof, inclusionProof, viewTree } from '../../../src/merkle/proof.ts';
import { appendLeaf, EMPTY_RANGE, rangeRoot } from '../../../src/merkle/range.ts';
import { hashAtOf } from './tree.ts';

// the eight leaves and the roots that the Certificate Transparency reference implementations share
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((hex) => fromHex(hex));
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

describe('the Merkle tree of RFC 6962', () => {
  it('hashes an empty tree, an empty leaf and a node as the known answers say', () => {
    expect(toHex(EMPTY_ROOT)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(toHex(leafHash(new Uint8Array(0)))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(toHex(leafHash(Buffer.from('L123456')))).toBe('395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56');
    expect(toHex(nodeHash(Buffer.from('N123'), Buffer.from('N456')))).not.toBe(toHex(nodeHash(Buffer.from('N456'), Buffer.from('N123'))));
  });

  it('reaches the known root after each of the eight known leaves', () => {
    let range = EMPTY_RANGE;
    for (const [index, leaf] of LEAVES.entries()) {
      range = appendLeaf(range, leafHash(leaf));
      expect(toHex(rangeRoot(range))).toBe(ROOTS[index]);
      const hashAt = hashAtOf(LEAVES.map(leafHash));
      expect(toHex(viewTree(index + 1, hashAt).root())).toBe(ROOTS[index]);
    }
  });

  it('gives the audit paths of the reference tests', () => {
    const hashAt = hashAtOf(LEAVES.map(leafHash));
    expect(inclusionProof(0, 8, hashAt).map(toHex)).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
    expect(inclusionProof(5, 8, hashAt).map(toHex)).toEqual([
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
    expect(inclusionProof(2, 3, hashAt).map(toHex)).toEqual(['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']);
    expect(inclusionProof(0, 1, hashAt)).toEqual([]);
  });

  it('gives the consistency proofs of the reference tests', () => {
    const hashAt = hashAtOf(LEAVES.map(leafHash));
    expect(consistencyProof(1, 8, hashAt).map(toHex)).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
    expect(consistencyProof(6, 8, hashAt).map(toHex)).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
    expect(consistencyProof(2, 5, hashAt).map(toHex)).toEqual([
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ]);
    expect(consistencyProof(8, 8, hashAt)).toEqual([]);
  });
});
