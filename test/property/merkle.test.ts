import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { frameEntry, splitBundle } from '../../src/merkle/bundle.ts';
import { leafHash } from '../../src/merkle/hash.ts';
import { encodeNote, parseNote } from '../../src/merkle/note.ts';
import { viewTree } from '../../src/merkle/proof.ts';
import { appendLeaf, EMPTY_RANGE, rangeRoot } from '../../src/merkle/range.ts';
import { parseTilePath, tilePath } from '../../src/merkle/tile.ts';
import { verifyConsistency, verifyInclusion } from '../../src/merkle/verify.ts';
import { hashAtOf } from '../unit/merkle/tree.ts';

const leaves = Array.from({ length: 1200 }, (_, i) => leafHash(Buffer.from(String(i))));
const hashAt = hashAtOf(leaves);
const size = fc.integer({ min: 1, max: leaves.length });

describe('for any tree', () => {
  it('the compact range and the tree itself have the same root', () => {
    let range = EMPTY_RANGE;
    for (const [index, leaf] of leaves.entries()) {
      range = appendLeaf(range, leaf);
      if (index % 7 === 0) expect(toHex(rangeRoot(range))).toBe(toHex(viewTree(index + 1, hashAt).root()));
    }
  });

  it('every leaf proves its place and no other leaf does with that proof', () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(), (n, a, b) => {
        const index = a % n;
        const claim = { index, size: n, leafHash: leaves[index]!, proof: viewTree(n, hashAt).inclusion(index), root: viewTree(n, hashAt).root() };
        verifyInclusion(claim);
        if (b % n !== index) {
          expect(() => verifyInclusion({ ...claim, leafHash: leaves[b % n]! })).toThrow();
          expect(() => verifyInclusion({ ...claim, index: b % n })).toThrow();
        }
      }),
    );
  });

  it('every earlier tree proves that it is a prefix', () => {
    fc.assert(
      fc.property(size, fc.nat(), (n, a) => {
        const older = a % (n + 1);
        const [before, now] = [viewTree(older, hashAt), viewTree(n, hashAt)];
        verifyConsistency({ olderSize: older, olderRoot: before.root(), newerSize: n, newerRoot: now.root(), proof: now.consistency(older) });
      }),
    );
  });
});

describe('for any input', () => {
  it('a tile path is parsed to what it was made of, and what is parsed is canonical', () => {
    const level = fc.oneof(fc.constant('entries' as const), fc.constant('data' as const), fc.integer({ min: 0, max: 63 }));
    fc.assert(
      fc.property(level, fc.integer({ min: 0, max: 2 ** 45 }), fc.integer({ min: 1, max: 256 }), (l, index, width) => {
        expect(parseTilePath(tilePath(l, index, width))).toEqual({ level: l, index, width });
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^tile\/[0-9]{1,2}\/(x?[0-9]{1,4}\/){0,3}[0-9]{1,4}(\.p\/[0-9]{0,4})?$/), (path) => {
        let name;
        try {
          name = parseTilePath(path);
        } catch {
          return;
        }
        expect(tilePath(name.level, name.index, name.width)).toBe(path);
      }),
    );
  });

  it('a bundle is split into the entries that were put together', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 20 }), (entries) => {
        expect(splitBundle(Buffer.concat(entries.map(frameEntry))).map(toHex)).toEqual(entries.map(toHex));
      }),
    );
  });

  it('a note is refused or written again byte for byte', () => {
    const fragment = fc.constantFrom('— ', 'a.example ', 'AAAAAAAAAAA=', 'AAAA', '\n', '\n\n', 'text', '—', ' ', '7');
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        let note;
        try {
          note = parseNote(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'CHECKPOINT_INVALID' });
          return;
        }
        expect(encodeNote(note)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });
});
