import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromHex } from '../../src/base/hex.ts';
import { openLog } from '../../src/log/log.ts';
import { openCheckpoint } from '../../src/merkle/checkpoint.ts';
import { verifyConsistency } from '../../src/merkle/verify.ts';
import { tlogKey } from '../../src/log/checkpoints.ts';
import { lockFolder } from '../../src/store/lock.ts';
import { check, createStore, logSigner, noWarning, ORIGIN, verifyAnswer } from '../fakes/logs.ts';
import { seededRng } from '../fakes/seeded.ts';

interface Line {
  readonly text: string;
  readonly index: number;
  readonly treeSize: number;
  readonly root: string;
}

const SEEDS = Number(process.env['STEPSEAL_FAULT_SEEDS'] ?? 5);
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepseal-kill-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the appender until it has said `bytes`, kills it, and returns what it answered before. */
async function appendAndKill(seed: string, bytes: number): Promise<Line[]> {
  const out = join(folder, `${seed}.out`);
  const fd = openSync(out, 'w');
  const child = spawn(process.execPath, [join(import.meta.dirname, 'logAppender.ts'), folder, seed, '16'], { stdio: ['ignore', fd, 'inherit'] });
  closeSync(fd);
  const exit = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  while (child.exitCode === null && statSync(out).size < bytes) await sleep(1);
  child.kill('SIGKILL');
  expect(await exit).toBe('SIGKILL');
  const lines = readFileSync(out, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Line).filter(({ text }) => text !== undefined);
}

describe('kill -9 of a process that appends under load', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('loses nothing that was answered (seed %i)', async (seed) => {
    const [a, b, c] = seededRng(`kill ${seed}`).bytes(3);
    const answered: Line[] = [];
    // twice, so that the second process starts from what the first left behind
    for (const [round, weight] of [a!, b!].entries()) answered.push(...(await appendAndKill(`${seed}${round}`, 2000 + 200 * weight + c!)));
    expect(answered.length).toBeGreaterThan(0);

    const lock = lockFolder(folder);
    const store = createStore(folder);
    expect((await check(store.storage())).problems).toEqual([]);
    const log = await openLog({ storage: store.storage(), signer: logSigner, origin: ORIGIN, warn: noWarning });
    const newest = openCheckpoint(log.checkpoint(), tlogKey(ORIGIN, logSigner));
    for (const { text, index, treeSize, root } of answered) {
      verifyAnswer(Buffer.from(text), await log.proof(index));
      const proof = await log.consistency(treeSize);
      verifyConsistency({ olderSize: treeSize, olderRoot: fromHex(root), newerSize: newest.size, newerRoot: newest.root, proof });
    }
    const last = answered.at(-1)!;
    expect(Buffer.from(await log.entry(last.index)).toString()).toBe(last.text);
    await log.close();
    store.db.close();
    lock.release();
  });
});

describe('the lock of the data folder', () => {
  it('refuses a second server, naming folder and process, and goes with a process that is killed', async () => {
    const out = join(folder, 'holder.out');
    const fd = openSync(out, 'w');
    const child = spawn(process.execPath, [join(import.meta.dirname, 'logAppender.ts'), folder, '1', '1'], { stdio: ['ignore', fd, 'inherit'] });
    closeSync(fd);
    const exit = new Promise((resolve) => child.once('exit', resolve));
    while (child.exitCode === null && statSync(out).size === 0) await sleep(1);
    expect(() => lockFolder(folder)).toThrow(
      expect.objectContaining({ code: 'FOLDER_LOCKED', message: expect.stringMatching(new RegExp(`${folder}.*process ${child.pid}$`)) }),
    );
    child.kill('SIGKILL');
    await exit;
    lockFolder(folder).release();
  });
});
