import {
  copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openLog } from '../../src/log/log.ts';
import type { Log } from '../../src/log/types.ts';
import { check, createStore, entriesOf, logSigner, noWarning, ORIGIN, type TestStore, verifyAnswer } from '../fakes/logs.ts';

let template: string;
let store: TestStore;

beforeAll(async () => {
  store = createStore();
  const log = await open();
  // 2 full tiles, and a tail of 88 that has grown once
  await log.append(entriesOf('e', 580));
  await log.append(entriesOf('f', 20));
  await log.close();
  store.db.close();
  template = store.folder;
});

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'stepseal-log-'));
  cpSync(template, folder, { recursive: true });
  store = createStore(folder);
});

afterEach(() => store.remove());
afterAll(() => rmSync(template, { recursive: true }));

function open(): Promise<Log> {
  return openLog({ storage: store.storage(), signer: logSigner, origin: ORIGIN, warn: noWarning });
}

function tail(): string {
  const names = readdirSync(store.path('staging'));
  expect(names.length).toBe(1);
  return store.path('staging', names[0]!);
}

function truncate(path: string, by = 1): void {
  truncateSync(path, readFileSync(path).length - by);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

interface Damage {
  readonly name: string;
  /** damages one file and returns its path */
  readonly do: () => string;
}

const DAMAGES: Damage[] = [
  { name: 'the tail is one byte short', do: () => (truncate(tail()), tail()) },
  { name: 'the tail is gone', do: () => remove(tail()) },
  { name: 'a bit of the tail is flipped', do: () => (flip(tail(), 40), tail()) },
  { name: 'a length in the tail is flipped', do: () => (flip(tail(), 1), tail()) },
  { name: 'a tile is gone', do: () => remove(store.path('tile/0/001')) },
  { name: 'a tile is half written', do: () => (truncate(store.path('tile/0/000'), 4096), store.path('tile/0/000')) },
  { name: 'a tile is one byte short', do: () => (truncate(store.path('tile/0/001')), store.path('tile/0/001')) },
  { name: 'a bit of a tile is flipped', do: () => (flip(store.path('tile/0/000'), 5000), store.path('tile/0/000')) },
  { name: 'a bit of an entry is flipped', do: () => (flip(store.path('tile/entries/000'), 5), store.path('tile/entries/000')) },
  { name: 'an entries tile is one byte short', do: () => (truncate(store.path('tile/entries/001')), store.path('tile/entries/001')) },
  { name: 'an entries tile is gone', do: () => remove(store.path('tile/entries/000')) },
  { name: 'an entries tile is empty', do: () => (truncateSync(store.path('tile/entries/000'), 0), store.path('tile/entries/000')) },
];

function remove(path: string): string {
  rmSync(path);
  return path;
}

describe.each(DAMAGES)('when $name', ({ do: damage }) => {
  it('the log does not open, and the error names the file', async () => {
    const file = damage();
    await expect(open()).rejects.toMatchObject({ code: 'LOG_CORRUPT', message: expect.stringContaining(file) });
  });

  it('checkLog finds it', async () => {
    const file = damage();
    const { problems } = await check(store.storage());
    expect(problems[0]).toMatchObject({ code: 'LOG_CORRUPT', message: expect.stringContaining(file) });
  });
});

describe('damage that only reading everything finds', () => {
  it('is whatever happened to old bundles, each named', async () => {
    const log = await open();
    await log.append(entriesOf('more', 256 * 20));
    await log.close();
    for (const n of ['000', '001', '003']) flip(store.path(`tile/entries/${n}`), 5);
    await (await open()).close();
    const { problems } = await check(store.storage());
    const corrupt = (n: string) => ({ code: 'LOG_CORRUPT', message: expect.stringContaining(store.path(`tile/entries/${n}`)) });
    expect(problems).toMatchObject([corrupt('000'), corrupt('001'), corrupt('003')]);
  });

  it.each([
    ['a key that is missing', 'DELETE FROM log_keys WHERE entry = 300'],
    ['a key of another entry', 'UPDATE log_keys SET entry = 3 WHERE entry = 300'],
    ['a key too many', `INSERT INTO log_keys (log, key, entry) VALUES ('log', x'00', 1)`],
    ['a key beyond the end', `INSERT INTO log_keys (log, key, entry) VALUES ('log', x'00', 600)`],
  ])('is %s', async (_, sql) => {
    store.db.run(sql);
    const { problems } = await check(store.storage());
    expect(problems[0]).toMatchObject({ code: 'LOG_CORRUPT', message: expect.stringContaining('keys') });
  });

  it('is a checkpoint with another root, or another signature', async () => {
    const path = store.path('checkpoint');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('\n600\n', '\n599\n'));
    expect((await check(store.storage())).problems).toMatchObject([{ code: 'CHECKPOINT_SIGNATURE' }]);
    writeFileSync(path, text.slice(0, -10));
    expect((await check(store.storage())).problems).toMatchObject([{ code: 'CHECKPOINT_INVALID' }]);
  });
});

describe('a store that is older than what was published', () => {
  it('is refused when the database was put back to an earlier state', async () => {
    const saved = join(store.folder, 'saved.db');
    store.db.run(`VACUUM INTO '${saved}'`);
    const savedTail = readFileSync(tail());
    const tailName = tail();
    const log = await open();
    await log.append(entriesOf('lost', 3));
    await log.close();
    store.db.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(store.folder, `stepseal.db${suffix}`), { force: true });
    copyFileSync(saved, join(store.folder, 'stepseal.db'));
    writeFileSync(tailName, savedTail);
    store.db = createStore(store.folder).db;
    await expect(open()).rejects.toMatchObject({ code: 'LOG_CORRUPT', message: expect.stringContaining('checkpoint') });
  });

  it('is refused when the database is gone', async () => {
    store.db.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(store.folder, `stepseal.db${suffix}`), { force: true });
    store.db = createStore(store.folder).db;
    await expect(open()).rejects.toMatchObject({ code: 'LOG_CORRUPT', message: expect.stringContaining('checkpoint') });
  });
});

describe('what a commit that never was leaves behind is repaired', () => {
  it.each<[string, () => void]>([
    ['bytes after the tail', () => writeFileSync(tail(), Buffer.concat([readFileSync(tail()), Buffer.from('\0\x07half an')]))],
    ['a staged file', () => writeFileSync(store.path('staging/0d7a'), 'half')],
    ['another tail', () => writeFileSync(store.path('staging/tail-0d7a'), 'half')],
    ['a half-written tile beyond the head', () => writeFileSync(store.path('tile/0/002'), 'half')],
    ['a bundle beyond the head', () => writeFileSync(store.path('tile/entries/002'), 'half')],
    ['a tile of a level that does not exist yet', () => (mkdirSync(dirname(store.path('tile/1/000')), { recursive: true }), writeFileSync(store.path('tile/1/000'), 'half'))],
    ['a checkpoint that is torn', () => writeFileSync(store.path('checkpoint'), 'log-0a1b')],
    ['no checkpoint', () => rmSync(store.path('checkpoint'))],
  ])('%s', async (_, leave) => {
    leave();
    const log = await open();
    expect(log.size()).toBe(600);
    const entries = entriesOf('g', 300);
    (await log.append(entries)).forEach((answer, i) => verifyAnswer(entries[i]!, answer));
    verifyAnswer(Buffer.from('e 0'), await log.proof(0));
    await log.close();
    expect((await check(store.storage())).problems).toEqual([]);
    expect(readdirSync(store.path('staging')).length).toBe(1);
    expect(existsSync(store.path('checkpoint'))).toBe(true);
  });
});

describe('a tile that goes missing while the log runs', () => {
  it('is named by the reader that needs it, and others go on', async () => {
    const log = await open();
    rmSync(store.path('tile/entries/000'));
    await expect(log.entry(0)).rejects.toMatchObject({ code: 'LOG_CORRUPT', message: expect.stringContaining('tile/entries/000') });
    await expect(log.read('tile/entries/000')).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
    expect(Buffer.from(await log.entry(599)).toString()).toBe('f 19');
    await log.close();
  });
});
