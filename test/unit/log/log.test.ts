import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/hex.ts';
import { openLog } from '../../../src/log/log.ts';
import type { Log } from '../../../src/log/types.ts';
import { splitBundle } from '../../../src/merkle/bundle.ts';
import { openCheckpoint, parseCheckpoint } from '../../../src/merkle/checkpoint.ts';
import { leafHash } from '../../../src/merkle/hash.ts';
import { viewTree } from '../../../src/merkle/proof.ts';
import { tilePath } from '../../../src/merkle/tile.ts';
import { verifyConsistency, verifyInclusion } from '../../../src/merkle/verify.ts';
import { tlogKey } from '../../../src/log/checkpoints.ts';
import { check, createStore, entriesOf, logSigner, noWarning, ORIGIN, p256Signer, type TestStore, verifyAnswer } from '../../fakes/logs.ts';
import { type FaultyStorage, faultyStorage } from '../../fakes/faultyStorage.ts';
import { hashAtOf } from '../merkle/tree.ts';

let store: TestStore;
let storage: FaultyStorage;
let log: Log;

beforeEach(async () => {
  store = createStore();
  storage = faultyStorage(store.storage());
  log = await openLog({ storage, signer: logSigner, origin: ORIGIN, warn: noWarning });
});

afterEach(async () => {
  await log.close();
  store.remove();
});

describe('appending', () => {
  it('answers an entry with a proof that verifies against the signed checkpoint', async () => {
    const [answer] = await log.append([Buffer.from('first')]);
    expect(answer).toMatchObject({ index: 0, treeSize: 1, duplicate: false });
    verifyAnswer(Buffer.from('first'), answer!);
    expect(log.size()).toBe(1);
    expect(log.checkpoint()).toBe(answer!.checkpoint);
  });

  it('keeps the order of one call and gives every entry its own index', async () => {
    const entries = entriesOf('e', 700);
    const answers = await log.append(entries);
    expect(answers.map(({ index }) => index)).toEqual(entries.map((_, i) => i));
    answers.forEach((answer, i) => verifyAnswer(entries[i]!, answer));
  });

  it('commits at once when idle', async () => {
    await log.append([Buffer.from('a')]);
    await log.append([Buffer.from('b')]);
    expect(storage.calls.commit).toBe(2);
  });

  it('takes whatever arrives during a commit into the next one', async () => {
    const calls = entriesOf('e', 200).map((entry) => log.append([entry]));
    const answers = (await Promise.all(calls)).flat();
    expect(new Set(answers.map(({ index }) => index)).size).toBe(200);
    expect(storage.calls.commit).toBe(1);
    const first = log.append([Buffer.from('x')]);
    await new Promise((resolve) => setImmediate(resolve));
    const later = entriesOf('y', 50).map((entry) => log.append([entry]));
    await Promise.all([first, ...later]);
    expect(storage.calls.commit).toBe(3);
    expect((await check(storage)).problems).toEqual([]);
  });

  it('signs and answers nothing before the tree is durably committed', async () => {
    const events: string[] = [];
    const slow = {
      ...store.storage(),
      async commit(...args: Parameters<typeof storage.commit>) {
        events.push('commit begins');
        await store.storage().commit(...args);
        events.push('committed');
      },
    };
    const signer = {
      ...logSigner,
      sign(data: Uint8Array) {
        events.push('signed');
        return logSigner.sign(data);
      },
    };
    const other = await openLog({ storage: slow, signer, origin: ORIGIN, warn: noWarning });
    events.length = 0;
    await other.append([Buffer.from('x')]);
    events.push('answered');
    expect(events).toEqual(['commit begins', 'committed', 'signed', 'answered']);
    await other.close();
  });

  it('refuses an entry that is empty or too long, and those beside it stay out', async () => {
    await expect(log.append([Buffer.from('good'), new Uint8Array(0)])).rejects.toMatchObject({ code: 'LOG_ENTRY_SIZE' });
    await expect(log.append([new Uint8Array(65_536)])).rejects.toMatchObject({ code: 'LOG_ENTRY_SIZE' });
    expect(log.size()).toBe(0);
    const [answer] = await log.append([new Uint8Array(65_535)]);
    verifyAnswer(new Uint8Array(65_535), answer!);
  });

  it('refuses more waiting entries than the limit instead of growing', async () => {
    const entry = Buffer.from('the same');
    await expect(log.append(Array<Uint8Array>(65_537).fill(entry))).rejects.toMatchObject({ code: 'LOG_BUSY' });
    const [answer] = await log.append([entry]);
    verifyAnswer(entry, answer!);
  });

  it('refuses after it is closed, and lets the commit in flight finish', async () => {
    const inFlight = log.append([Buffer.from('in flight')]);
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = expect(log.append([Buffer.from('waiting')])).rejects.toMatchObject({ code: 'LOG_CLOSED' });
    const closing = log.close();
    verifyAnswer(Buffer.from('in flight'), (await inFlight)[0]!);
    await waiting;
    await closing;
    await expect(log.append([Buffer.from('late')])).rejects.toMatchObject({ code: 'LOG_CLOSED' });
  });
});

describe('a duplicate', () => {
  it('is answered with the original entry and a fresh proof, in one call, in one commit, later, and after a restart', async () => {
    const twice = await log.append([Buffer.from('a'), Buffer.from('a')]);
    expect(twice).toMatchObject([{ index: 0, duplicate: false }, { index: 0, duplicate: true }]);
    const together = await Promise.all([log.append([Buffer.from('b')]), log.append([Buffer.from('b')])]);
    expect(together.flat()).toMatchObject([{ index: 1, duplicate: false }, { index: 1, duplicate: true }]);
    await log.append(entriesOf('filler', 600));
    const commits = storage.calls.commit;
    const [later] = await log.append([Buffer.from('a')]);
    expect(later).toMatchObject({ index: 0, duplicate: true, treeSize: 602 });
    verifyAnswer(Buffer.from('a'), later!);
    expect(storage.calls.commit).toBe(commits);
    await log.close();
    store.reopen();
    storage = faultyStorage(store.storage());
    log = await openLog({ storage, signer: logSigner, origin: ORIGIN, warn: noWarning });
    const [after] = await log.append([Buffer.from('a')]);
    expect(after).toMatchObject({ index: 0, duplicate: true, treeSize: 602 });
    verifyAnswer(Buffer.from('a'), after!);
  });
});

describe('reading', () => {
  it('serves tiles from which a client that knows only the format re-derives the root', async () => {
    for (const [i, count] of [1, 255, 256, 300, 1].entries()) await log.append(entriesOf(`round ${i}`, count));
    const { size, root } = parseCheckpoint(new TextDecoder().decode(await log.read('checkpoint')));
    expect(size).toBe(813);
    const entries: Uint8Array[] = [];
    for (let n = 0; n * 256 < size; n++) entries.push(...splitBundle((await log.read(tilePath('entries', n, Math.min(256, size - n * 256))))!));
    const leaves = entries.map(leafHash);
    expect(toHex(viewTree(size, hashAtOf(leaves)).root())).toBe(toHex(root));
    for (let n = 0; n * 256 < size; n++) {
      const tile = await log.read(tilePath(0, n, Math.min(256, size - n * 256)));
      expect(toHex(tile!)).toBe(leaves.slice(n * 256, n * 256 + 256).map(toHex).join(''));
    }
    expect((await log.read('tile/1/000.p/3'))!.length).toBe(96);
  });

  it('serves partial tiles of every past size, also after the tile is full', async () => {
    await log.append(entriesOf('e', 100));
    const before = [await log.read('tile/0/000.p/77'), await log.read('tile/entries/000.p/77')];
    await log.append(entriesOf('f', 400));
    expect([await log.read('tile/0/000.p/77'), await log.read('tile/entries/000.p/77')]).toEqual(before);
    expect(splitBundle(before[1]!).length).toBe(77);
  });

  it.each(['tile/0/001', 'tile/0/000.p/11', 'tile/entries/000', 'tile/1/000.p/1', 'tile/data/000.p/1', 'tile/0/0', 'tile/0/../0/000', 'checkpoints', '', 'tile/0/000.p/0'])(
    'has nothing at %s while there are ten entries',
    async (path) => {
      await log.append(entriesOf('e', 10));
      expect(await log.read(path)).toBeUndefined();
    },
  );

  it('gives entries, proofs and consistency for every place and size', async () => {
    const entries = entriesOf('e', 530);
    const roots = [];
    for (const upTo of [1, 2, 255, 256, 257, 512, 530]) {
      const [answer] = (await log.append(entries.slice(log.size(), upTo))).slice(-1);
      roots.push({ size: upTo, root: answer!.rootHash });
    }
    for (const older of roots) {
      for (const newer of roots.filter(({ size }) => size >= older.size)) {
        const proof = await log.consistency(older.size, newer.size);
        verifyConsistency({ olderSize: older.size, olderRoot: older.root, newerSize: newer.size, newerRoot: newer.root, proof });
      }
    }
    for (const index of [0, 1, 255, 256, 511, 512, 529]) {
      expect(Buffer.from(await log.entry(index)).toString()).toBe(`e ${index}`);
      verifyAnswer(entries[index]!, await log.proof(index));
    }
  });

  it('refuses what is beyond the tree', async () => {
    await log.append(entriesOf('e', 3));
    await expect(log.proof(3)).rejects.toMatchObject({ code: 'TLOG_PARSE' });
    await expect(log.entry(3)).rejects.toMatchObject({ code: 'TLOG_PARSE' });
    await expect(log.entry(-1)).rejects.toMatchObject({ code: 'TLOG_PARSE' });
    await expect(log.consistency(4)).rejects.toMatchObject({ code: 'TLOG_PARSE' });
    await expect(log.consistency(1, 4)).rejects.toMatchObject({ code: 'TLOG_PARSE' });
  });
});

describe('the signature', () => {
  it('that cannot be made leaves the entries in the log, and a retry finds them', async () => {
    await log.close();
    let broken = false;
    const signer = {
      ...logSigner,
      sign(data: Uint8Array) {
        if (broken) throw new Error('no token in the slot');
        return logSigner.sign(data);
      },
    };
    log = await openLog({ storage, signer, origin: ORIGIN, warn: noWarning });
    broken = true;
    await expect(log.append([Buffer.from('x')])).rejects.toThrow('no token in the slot');
    expect(log.size()).toBe(0);
    broken = false;
    const [answer] = await log.append([Buffer.from('x')]);
    expect(answer).toMatchObject({ index: 0, duplicate: true, treeSize: 1 });
    verifyAnswer(Buffer.from('x'), answer!);
  });

  it('by an ECDSA key has the SHA-256 of the key as key id', async () => {
    const signer = p256Signer();
    const other = createStore();
    const ecdsa = await openLog({ storage: other.storage(), signer, origin: ORIGIN, warn: noWarning });
    const [answer] = await ecdsa.append([Buffer.from('x')]);
    const checkpoint = openCheckpoint(answer!.checkpoint, tlogKey(ORIGIN, signer));
    verifyInclusion({ index: 0, size: 1, leafHash: leafHash(Buffer.from('x')), proof: [], root: checkpoint.root });
    await ecdsa.close();
    other.remove();
  });
});

describe('a second writer on the same storage', () => {
  it('is found out by compare-and-swap, stops, and the tree stays whole', async () => {
    const second = await openLog({ storage: store.storage(), signer: logSigner, origin: ORIGIN, warn: noWarning });
    await log.append([Buffer.from('mine')]);
    await expect(second.append([Buffer.from('theirs')])).rejects.toMatchObject({ code: 'LOG_CONFLICT' });
    await expect(second.append([Buffer.from('again')])).rejects.toMatchObject({ code: 'LOG_CLOSED' });
    await second.close();
    const [answer] = await log.append([Buffer.from('more')]);
    verifyAnswer(Buffer.from('more'), answer!);
    expect((await check(storage)).problems).toEqual([]);
  });
});
