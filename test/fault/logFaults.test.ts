import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLog } from '../../src/log/log.ts';
import type { Appended, Log } from '../../src/log/types.ts';
import { openCheckpoint } from '../../src/merkle/checkpoint.ts';
import { verifyConsistency } from '../../src/merkle/verify.ts';
import { tlogKey } from '../../src/log/checkpoints.ts';
import { type FaultyStorage, faultyStorage, type Operation } from '../fakes/faultyStorage.ts';
import { check, createStore, entriesOf, logSigner, noWarning, ORIGIN, type TestStore, verifyAnswer } from '../fakes/logs.ts';

let store: TestStore;
let storage: FaultyStorage;
let log: Log;
let answered: { entry: Uint8Array; answer: Appended }[];

beforeEach(async () => {
  store = createStore();
  answered = [];
  await start();
  // three entries short of a full tile, so that the faulty commit fills one
  await append(entriesOf('before', 253));
});

afterEach(async () => {
  await log.close();
  store.remove();
});

async function start(warn: (error: unknown) => void = noWarning): Promise<void> {
  storage = faultyStorage(store.storage());
  log = await openLog({ storage, signer: logSigner, origin: ORIGIN, warn });
}

async function append(entries: Uint8Array[]): Promise<Appended[]> {
  const answers = await log.append(entries);
  answers.forEach((answer, i) => answered.push({ entry: entries[i]!, answer }));
  return answers;
}

/** Everything that was ever answered is in the tree, at its index, and every checkpoint is a prefix of the newest. */
async function verifyEverything(): Promise<void> {
  expect((await check(store.storage())).problems).toEqual([]);
  const newest = openCheckpoint(log.checkpoint(), tlogKey(ORIGIN, logSigner));
  for (const [i, { entry, answer }] of answered.entries()) {
    // of the long rows of one commit every twentieth says enough
    if (i > 3 && i < answered.length - 60 && i % 20 !== 0) continue;
    verifyAnswer(entry, answer);
    verifyAnswer(entry, await log.proof(answer.index));
    expect(Buffer.from(await log.entry(answer.index)).equals(entry)).toBe(true);
    const proof = await log.consistency(answer.treeSize);
    verifyConsistency({ olderSize: answer.treeSize, olderRoot: answer.rootHash, newerSize: newest.size, newerRoot: newest.root, proof });
  }
}

const CASES = (['lookup', 'publish', 'extendTail', 'commit'] as Operation[]).flatMap((operation) =>
  (['happened', 'did not happen'] as const).map((effect) => ({ operation, effect })),
);

describe.each(CASES)('a failure in $operation whose effect $effect', ({ operation, effect }) => {
  const entries = entriesOf('hit', 10);

  it('answers truly, and the log goes on', async () => {
    storage.arm({ operation, effect, call: 1 });
    const outcome = append(entries);
    if (operation === 'commit' && effect === 'happened') await outcome;
    else await expect(outcome).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(storage.fired()).toBe(true);
    await append([...entries, Buffer.from('one more')]);
    await append(entriesOf('after', 40));
    expect(log.size()).toBe(253 + 10 + 1 + 40);
    await verifyEverything();
  });

  it('is forgotten by a restart', async () => {
    storage.arm({ operation, effect, call: 1 });
    await append(entries).catch(() => 'refused');
    await log.close();
    store.reopen();
    await start();
    await append([...entries, Buffer.from('one more')]);
    expect(log.size()).toBe(264);
    await verifyEverything();
  });
});

describe('a failure whose effect cannot be known', () => {
  it.each(['happened', 'did not happen'] as const)('stops the log, which keeps reading; a restart finds out (it %s)', async (effect) => {
    const inner = store.storage();
    await log.close();
    let broken = false;
    const blind = {
      ...inner,
      head: () => (broken ? Promise.reject(new Error('the disk is gone')) : inner.head()),
      async commit(...args: Parameters<typeof inner.commit>) {
        if (broken && effect === 'happened') await inner.commit(...args);
        if (broken) throw new Error('the disk is gone');
        await inner.commit(...args);
      },
    };
    log = await openLog({ storage: blind, signer: logSigner, origin: ORIGIN, warn: noWarning });
    broken = true;
    await expect(log.append(entriesOf('hit', 10))).rejects.toThrow('the disk is gone');
    await expect(log.append(entriesOf('later', 1))).rejects.toMatchObject({ code: 'LOG_CLOSED' });
    expect(log.size()).toBe(253);
    verifyAnswer(answered[0]!.entry, await log.proof(0));
    await log.close();
    store.reopen();
    await start();
    expect(log.size()).toBe(effect === 'happened' ? 263 : 253);
    const again = await append(entriesOf('hit', 10));
    expect(again.every(({ duplicate }) => duplicate)).toBe(effect === 'happened');
    await verifyEverything();
  });
});

describe('a failure without consequence', () => {
  it.each(['dropTail', 'writeCheckpoint'] as const)('in %s is reported and changes nothing', async (operation) => {
    await log.close();
    store.reopen();
    const warnings: unknown[] = [];
    await start((error) => warnings.push(error));
    storage.arm({ operation, effect: 'did not happen', call: 1 });
    await append(entriesOf('x', 1));
    await append(entriesOf('y', 1));
    await log.close();
    expect(warnings).toMatchObject([{ code: 'STORE_FAILED' }]);
    await start();
    await verifyEverything();
  });
});
