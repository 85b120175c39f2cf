import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isStepsealError } from '../../src/base/errors.ts';
import { openLog } from '../../src/log/log.ts';
import type { Log } from '../../src/log/types.ts';
import { check, createStore, logSigner, noWarning, ORIGIN, verifyAnswer } from '../fakes/logs.ts';

let folder: string;
let mounted: boolean;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepseal-full-'));
  mounted = false;
});

afterEach(() => {
  if (mounted) execFileSync('umount', [folder]);
  rmSync(folder, { recursive: true, force: true });
});

function mountSmall(): boolean {
  return process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status === 0;
}

function entry(i: number): Uint8Array {
  return Buffer.from(`entry ${i} `.padEnd(2000, '.'));
}

/** Appends one by one until the log refuses; the number that was answered and the code of the refusal. */
async function fill(log: Log, from: number): Promise<{ next: number; code: unknown }> {
  for (let i = from; ; i++) {
    try {
      const [answer] = await log.append([entry(i)]);
      verifyAnswer(entry(i), answer!);
    } catch (error) {
      return { next: i, code: isStepsealError(error) ? error.code : error };
    }
  }
}

describe('a disk that is full', () => {
  it('refuses with STORE_FULL, keeps everything that was answered, and goes on when there is space again', async (context) => {
    mounted = mountSmall();
    if (!mounted) return context.skip('mounting a tmpfs needs root');
    const ballast = join(folder, 'ballast');
    writeFileSync(ballast, Buffer.alloc(200_000));
    mkdirSync(join(folder, 'data'));
    const store = createStore(join(folder, 'data'));
    // a full disk may make the checkpoint file late, which is a warning
    const log = await openLog({ storage: store.storage(), signer: logSigner, origin: ORIGIN, warn: () => {} });
    const full = await fill(log, 0);
    expect(full.code).toBe('STORE_FULL');
    expect(full.next).toBeGreaterThan(50);
    for (let i = 0; i < 3; i++) await expect(log.append([Buffer.alloc(60_000, i + 1)])).rejects.toMatchObject({ code: 'STORE_FULL' });
    expect((await check(store.storage())).problems).toEqual([]);
    expect(readdirSync(store.path('staging')).length).toBeLessThanOrEqual(2);
    verifyAnswer(entry(0), await log.proof(0));

    rmSync(ballast);
    const [answer] = await log.append([entry(full.next)]);
    verifyAnswer(entry(full.next), answer!);
    const again = await fill(log, full.next + 1);
    expect(again.code).toBe('STORE_FULL');
    expect(again.next).toBeGreaterThan(full.next + 1);
    await log.close();
    store.reopen();
    const reopened = await openLog({ storage: store.storage(), signer: logSigner, origin: ORIGIN, warn: () => {} });
    for (let i = 0; i < again.next; i++) verifyAnswer(entry(i), await reopened.proof((await reopened.append([entry(i)]))[0]!.index));
    await reopened.close();
    expect((await check(store.storage())).problems).toEqual([]);
    store.db.close();
  });

  it('under a file-size limit refuses with STORE_FULL too, and a restart without the limit finds all', async () => {
    // 6 MiB: more than SQLite's files reach, less than a tail of such entries
    const script = 'ulimit -f 12288; exec "$0" "$@"';
    const appender = join(import.meta.dirname, 'logAppender.ts');
    const { stdout, status } = spawnSync('sh', ['-c', script, process.execPath, appender, folder, '7', '4', '60000'], { encoding: 'utf8', maxBuffer: 1 << 28 });
    expect(status).toBe(0);
    const lines = stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line) as { text?: string; index?: number; refused?: string });
    expect(new Set(lines.flatMap(({ refused }) => refused ?? []))).toEqual(new Set(['STORE_FULL']));
    const answered = lines.flatMap(({ text, index }) => (text === undefined || index === undefined ? [] : [{ text, index }]));
    expect(answered.length).toBeGreaterThan(50);

    const store = createStore(folder);
    expect((await check(store.storage())).problems).toEqual([]);
    const log = await openLog({ storage: store.storage(), signer: logSigner, origin: ORIGIN, warn: noWarning });
    for (const { text, index } of answered) verifyAnswer(Buffer.from(text), await log.proof(index));
    await log.close();
    store.db.close();
  });
});
