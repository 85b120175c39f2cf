import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/hex.ts';
import { ctKey } from '../../../src/log/checkpoints.ts';
import { openCtLog } from '../../../src/log/ctLog.ts';
import type { CtLog, CtSubmission } from '../../../src/log/types.ts';
import { openCheckpoint, parseCheckpoint } from '../../../src/merkle/checkpoint.ts';
import { merkleTreeLeaf, parseDataTile, parseTreeHeadSignature } from '../../../src/merkle/ct.ts';
import { leafHash } from '../../../src/merkle/hash.ts';
import { tilePath } from '../../../src/merkle/tile.ts';
import { verifyInclusion } from '../../../src/merkle/verify.ts';
import { check, createStore, CT_ORIGIN, ctSigner, noWarning, type TestStore } from '../../fakes/logs.ts';

let now: number;
let store: TestStore;
let log: CtLog;
const clock = { now: () => now };

beforeEach(async () => {
  now = Date.UTC(2026, 0, 1);
  store = createStore();
  log = await open();
});

afterEach(async () => {
  await log.close();
  store.remove();
});

function open(): Promise<CtLog> {
  return openCtLog({ storage: store.storage('ct'), signer: ctSigner, origin: CT_ORIGIN, clock, warn: noWarning });
}

function certificate(name: string): CtSubmission {
  return { timestamp: now, issuerKeyHash: hash('issuer'), tbs: Buffer.from(`tbs of ${name}`), preCertificate: Buffer.from(`pre ${name}`), chain: [hash('ca'), hash('root')] };
}

function hash(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

function treeHeadTime(checkpoint: string): number {
  return parseTreeHeadSignature(parseCheckpoint(checkpoint).note.signatures[0]!.signature).timestamp;
}

describe('the CT log', () => {
  it('gives each certificate an index that its leaf commits to', async () => {
    const added = await Promise.all(Array.from({ length: 300 }, (_, i) => log.add(certificate(`c${i}`))));
    expect(added.map(({ leafIndex }) => leafIndex)).toEqual(added.map((_, i) => i));
    const tile = (await log.read(tilePath('data', 0)))!;
    const entries = parseDataTile(tile);
    expect(entries.length).toBe(256);
    expect(entries[7]!.entry).toMatchObject({ timestamp: now, leafIndex: 7 });
    expect(entries[7]!.entry.chain.map(toHex)).toEqual([hash('ca'), hash('root')].map(toHex));
    const { index, treeSize, rootHash, hashes } = await log.proof(7);
    verifyInclusion({ index, size: treeSize, leafHash: leafHash(merkleTreeLeaf({ ...certificate('c7'), leafIndex: 7 })), proof: hashes, root: rootHash });
    expect((await check(store.storage('ct'), 'ct')).problems).toEqual([]);
  });

  it('serves static-ct-api paths and not those of the other log', async () => {
    await log.add(certificate('a'));
    expect(await log.read('tile/data/000.p/1')).toBeDefined();
    expect(await log.read('tile/0/000.p/1')).toBeDefined();
    expect(await log.read('tile/entries/000.p/1')).toBeUndefined();
  });

  it('signs its checkpoints as RFC 6962 tree heads', async () => {
    await log.add(certificate('a'));
    const checkpoint = openCheckpoint(log.checkpoint(), ctKey(CT_ORIGIN, ctSigner));
    expect(checkpoint.size).toBe(1);
    const other = log.checkpoint().replace(`${CT_ORIGIN}\n1\n`, `${CT_ORIGIN}\n2\n`);
    expect(() => openCheckpoint(other, ctKey(CT_ORIGIN, ctSigner))).toThrow(expect.objectContaining({ code: 'CHECKPOINT_SIGNATURE' }));
  });

  it('answers the same certificate with its first index and its first time', async () => {
    const first = await log.add(certificate('a'));
    const before = now;
    now += 60_000;
    expect(await log.add(certificate('a'))).toEqual({ leafIndex: first.leafIndex, timestamp: before, duplicate: true });
  });

  it('never signs a tree head that is older than an earlier one or than an entry, whatever the clock does', async () => {
    await log.add(certificate('a'));
    const first = treeHeadTime(log.checkpoint());
    now -= 3_600_000;
    await log.add(certificate('b'));
    expect(treeHeadTime(log.checkpoint())).toBeGreaterThanOrEqual(first);
    now += 24 * 3_600_000;
    await log.add(certificate('c'));
    const last = treeHeadTime(log.checkpoint());
    expect(last).toBe(now);
    now -= 48 * 3_600_000;
    await log.close();
    store.reopen();
    log = await open();
    expect(treeHeadTime(log.checkpoint())).toBeGreaterThanOrEqual(last);
  });

  it('refuses a certificate that is too long without touching those beside it', async () => {
    const good = log.add(certificate('good'));
    await expect(log.add({ ...certificate('big'), preCertificate: new Uint8Array(70_000) })).rejects.toMatchObject({ code: 'LOG_ENTRY_SIZE' });
    await expect(log.add({ ...certificate('odd'), issuerKeyHash: new Uint8Array(31) })).rejects.toMatchObject({ code: 'TLOG_PARSE' });
    expect(await good).toMatchObject({ leafIndex: 0 });
  });
});
