import { nodeHash } from '../../../src/merkle/hash.ts';
import type { HashAt } from '../../../src/merkle/proof.ts';

/** Complete subtrees over given leaf hashes, straight from the definition; asking beyond the leaves is a fault. */
export function hashAtOf(leaves: readonly Uint8Array[]): HashAt {
  const known = new Map<string, Uint8Array>();
  function hashAt(level: number, index: number): Uint8Array {
    if (level === 0) {
      const leaf = leaves[index];
      if (!leaf) throw new Error(`no leaf ${index}`);
      return leaf;
    }
    const key = `${level}/${index}`;
    const hash = known.get(key) ?? nodeHash(hashAt(level - 1, index * 2), hashAt(level - 1, index * 2 + 1));
    known.set(key, hash);
    return hash;
  }
  return hashAt;
}
