import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLog } from '../../src/log/log.ts';
import type { Log } from '../../src/log/types.ts';
import { createStore, logSigner, noWarning, ORIGIN } from '../fakes/logs.ts';
import type { Row } from './row.ts';

/** About what a hashedrekord entry with a signing certificate takes. */
const ENTRY_BYTES = 1600;
const ROUNDS = 5;

/** Durable entries with proof by the log engine, beside a plain file that is written and fdatasynced in the same batches. */
export async function bench(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { batch, entries } of [{ batch: 1, entries: 300 }, { batch: 64, entries: 9600 }, { batch: 256, entries: 20_480 }, { batch: 1024, entries: 30_720 }, { batch: 4096, entries: 40_960 }]) {
    const rates: { log: number; file: number }[] = [];
    // floor and log by turns, so that a busy moment hits both
    for (let round = 0; round < ROUNDS; round++) {
      const data = Array.from({ length: entries / batch }, (_, i) => bodies(`${batch} ${round} ${i}`, batch));
      rates.push({ file: rate(entries, plainFile(data)), log: rate(entries, await appendAll(data)) });
    }
    const value = median(rates.map(({ log }) => log));
    const target = batch >= 256 ? { target: '≥ 20,000', ok: value >= 20_000 } : {};
    rows.push({ what: `log: durable entries with proof, ${batch} a call`, unit: 'entries/s', value, floor: 'file + fdatasync', floorValue: median(rates.map(({ file }) => file)), ...target });
  }
  rows.push(...(await concurrentCallers()));
  return rows;
}

function bodies(name: string, count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => Buffer.alloc(ENTRY_BYTES, `${name} ${i} `));
}

function plainFile(data: readonly Buffer[][]): number {
  const folder = mkdtempSync(join(tmpdir(), 'stepseal-floor-'));
  const fd = openSync(join(folder, 'file'), 'w');
  const start = performance.now();
  for (const batch of data) {
    writeSync(fd, Buffer.concat(batch));
    fdatasyncSync(fd);
  }
  const elapsed = performance.now() - start;
  closeSync(fd);
  rmSync(folder, { recursive: true });
  return elapsed;
}

function appendAll(data: readonly Buffer[][]): Promise<number> {
  return withLog(async (log) => {
    const start = performance.now();
    for (const batch of data) await log.append(batch);
    return performance.now() - start;
  });
}

/** Many callers with one entry each, as the server has them: what group commit makes of it, and how long one waits. */
async function concurrentCallers(): Promise<Row[]> {
  const callers = 64;
  const each = 150;
  const waits: number[] = [];
  const elapsed = await withLog(async (log) => {
    const start = performance.now();
    await Promise.all(
      Array.from({ length: callers }, async (_, caller) => {
        for (const entry of bodies(`caller ${caller}`, each)) {
          const asked = performance.now();
          await log.append([entry]);
          waits.push(performance.now() - asked);
        }
      }),
    );
    return performance.now() - start;
  });
  waits.sort((a, b) => a - b);
  return [
    { what: `log: ${callers} callers, one entry each`, unit: 'entries/s', value: rate(callers * each, elapsed) },
    { what: `log: wait of one of ${callers} callers, p50`, unit: 'ms', value: waits[Math.floor(waits.length * 0.5)]! },
    { what: `log: wait of one of ${callers} callers, p99`, unit: 'ms', value: waits[Math.floor(waits.length * 0.99)]!, target: '≤ 100', ok: waits[Math.floor(waits.length * 0.99)]! <= 100 },
  ];
}

async function withLog(body: (log: Log) => Promise<number>): Promise<number> {
  const store = createStore();
  const log = await openLog({ storage: store.storage(), signer: logSigner, origin: ORIGIN, warn: noWarning });
  const elapsed = await body(log);
  await log.close();
  store.remove();
  return elapsed;
}

function rate(count: number, ms: number): number {
  return (count / ms) * 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
