import { describe, expect, it } from 'vitest';
import { frameEntry, splitBundle } from '../../../src/merkle/bundle.ts';
import {
  encodeTreeHeadSignature,
  leafIndexExtension,
  merkleTreeLeaf,
  parseDataTile,
  parseTreeHeadSignature,
  tileLeaf,
  treeHeadSignedData,
} from '../../../src/merkle/ct.ts';
import { toHex } from '../../../src/base/hex.ts';
import { parseTilePath, placeOf, tilePath } from '../../../src/merkle/tile.ts';

function refusal(code: string): unknown {
  return expect.objectContaining({ code });
}

describe('the path of a tile', () => {
  it.each([
    [0, 0, 256, 'tile/0/000'],
    [1, 1, 256, 'tile/1/001'],
    [0, 999, 256, 'tile/0/999'],
    [0, 1000, 256, 'tile/0/x001/000'],
    [2, 1_234_067, 256, 'tile/2/x001/x234/067'],
    [0, 1_234_067, 8, 'tile/0/x001/x234/067.p/8'],
    ['entries', 5, 255, 'tile/entries/005.p/255'],
    ['data', 70_000, 256, 'tile/data/x070/000'],
    [0, 35_184_372_088_831, 256, 'tile/0/x035/x184/x372/x088/831'],
  ] as const)('of level %s, index %i, width %i is %s, and back', (level, index, width, path) => {
    expect(tilePath(level, index, width)).toBe(path);
    expect(parseTilePath(path)).toEqual({ level, index, width });
  });

  it.each([
    '', 'tile', 'tile/0', 'tile/0/0', 'tile/0/00', 'tile/0/0000', 'tile/00/000', 'tile/64/000', 'tile/-1/000', 'tile/0/x000/000',
    'tile/0/001/000', 'tile/0/000.p/0', 'tile/0/000.p/256', 'tile/0/000.p/08', 'tile/0/000.p/', 'tile/entry/000', '/tile/0/000',
    'tile/0/000/', 'tile/0/../000', 'tile/0/000\n',
  ])('is not %j', (path) => {
    expect(() => parseTilePath(path)).toThrow(refusal('TLOG_PARSE'));
  });

  it('says where a node lies', () => {
    expect(placeOf(0, 300)).toEqual({ level: 0, index: 1, height: 0, offset: 44 });
    expect(placeOf(7, 3)).toEqual({ level: 0, index: 1, height: 7, offset: 1 });
    expect(placeOf(8, 256)).toEqual({ level: 1, index: 1, height: 0, offset: 0 });
    expect(placeOf(20, 17)).toEqual({ level: 2, index: 1, height: 4, offset: 1 });
  });
});

describe('an entries tile', () => {
  it('has a 16-bit length before each entry', () => {
    const entries = [Buffer.from('a'), Buffer.alloc(256, 1), Buffer.alloc(65_535, 2)];
    const bundle = Buffer.concat(entries.map(frameEntry));
    expect(bundle.subarray(0, 6).toString('hex')).toBe('000161010001');
    expect(splitBundle(bundle).map(toHex)).toEqual(entries.map(toHex));
  });

  it('is refused where it ends inside an entry', () => {
    const bundle = Buffer.concat([Buffer.from('ab'), Buffer.from('cde')].map(frameEntry));
    for (const end of [1, 3, 5, 8]) expect(() => splitBundle(bundle.subarray(0, end))).toThrow(refusal('TLOG_PARSE'));
    expect(splitBundle(bundle.subarray(0, 4)).length).toBe(1);
    expect(splitBundle(new Uint8Array(0))).toEqual([]);
  });

  it('holds no entry that is empty or longer than the length can say', () => {
    expect(() => frameEntry(new Uint8Array(0))).toThrow(refusal('LOG_ENTRY_SIZE'));
    expect(() => frameEntry(new Uint8Array(65_536))).toThrow(refusal('LOG_ENTRY_SIZE'));
  });
});

describe('a CT entry', () => {
  const entry = {
    timestamp: 0x0102030405,
    issuerKeyHash: Buffer.alloc(32, 0xaa),
    tbs: Buffer.from('tbs'),
    leafIndex: 0x0102030405,
    preCertificate: Buffer.from('precert'),
    chain: [Buffer.alloc(32, 1), Buffer.alloc(32, 2)],
  };

  it('has the bytes of RFC 6962 and static-ct-api', () => {
    expect(toHex(leafIndexExtension(0x0102030405))).toBe('0000050102030405');
    const timestamped = `00000001020304050001${'aa'.repeat(32)}00000374627300080000050102030405`;
    expect(toHex(merkleTreeLeaf(entry))).toBe(`0000${timestamped}`);
    expect(toHex(tileLeaf(entry))).toBe(`${timestamped}000007${toHex(Buffer.from('precert'))}0040${'01'.repeat(32)}${'02'.repeat(32)}`);
  });

  it('is read back from a data tile', () => {
    const tile = Buffer.concat([tileLeaf(entry), tileLeaf({ ...entry, leafIndex: 6, chain: [] })]);
    const read = parseDataTile(tile);
    expect(read.map(({ entry: { leafIndex, chain } }) => [leafIndex, chain.length])).toEqual([[0x0102030405, 2], [6, 0]]);
    expect(Buffer.concat(read.map((one) => tileLeaf(one.entry))).equals(tile)).toBe(true);
  });

  it('is refused where it is cut or of another kind', () => {
    const bytes = tileLeaf(entry);
    for (let end = 1; end < bytes.length; end++) expect(() => parseDataTile(bytes.subarray(0, end))).toThrow(refusal('TLOG_PARSE'));
    // entry type, length of the TBS, of the extensions, type and length of the extension
    for (const at of [9, 44, 49, 50, 52]) {
      const other = Buffer.from(bytes);
      other[at]! ^= 0x11;
      expect(() => parseDataTile(other)).toThrow(refusal('TLOG_PARSE'));
    }
  });

  it('does not exist for numbers and hashes that do not fit', () => {
    expect(() => leafIndexExtension(2 ** 40)).toThrow(refusal('TLOG_PARSE'));
    expect(() => leafIndexExtension(-1)).toThrow(refusal('TLOG_PARSE'));
    expect(() => tileLeaf({ ...entry, issuerKeyHash: new Uint8Array(20) })).toThrow(refusal('TLOG_PARSE'));
    expect(() => tileLeaf({ ...entry, timestamp: 1.5 })).toThrow(refusal('TLOG_PARSE'));
  });
});

describe('a CT tree head', () => {
  it('is signed over version, type, time, size and root', () => {
    const signed = treeHeadSignedData({ timestamp: 1, size: 2, root: new Uint8Array(32) });
    expect(toHex(signed)).toBe(`000100000000000000010000000000000002${'00'.repeat(32)}`);
  });

  it('carries its time before the signature', () => {
    const bytes = encodeTreeHeadSignature(0x010203, Buffer.from('sig'));
    expect(toHex(bytes)).toBe('000000000001020304030003736967');
    const { timestamp, signature } = parseTreeHeadSignature(bytes);
    expect([timestamp, Buffer.from(signature).toString()]).toEqual([0x010203, 'sig']);
    for (const end of [0, 8, 11, 12, bytes.length - 1]) {
      expect(() => parseTreeHeadSignature(bytes.subarray(0, end))).toThrow(refusal('CHECKPOINT_INVALID'));
    }
    expect(() => parseTreeHeadSignature(Buffer.from(bytes).fill(1, 8, 10))).toThrow(refusal('CHECKPOINT_INVALID'));
  });
});
