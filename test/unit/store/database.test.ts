import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixIdentity, type Identity, readIdentity } from '../../../src/store/config.ts';
import { type Database, openDatabase } from '../../../src/store/database.ts';
import { lockFolder } from '../../../src/store/lock.ts';
import { MIGRATIONS } from '../../../src/store/migrations.ts';

let folder: string;
let db: Database;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepseal-db-'));
  db = openDatabase(folder);
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

function reopen(): void {
  db.close();
  db = openDatabase(folder);
}

describe('the database', () => {
  it('is private, durable and on its newest schema', () => {
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(join(folder, `stepseal.db${suffix}`)).mode & 0o777).toBe(0o600);
    expect(db.get('PRAGMA journal_mode')).toMatchObject({ journal_mode: 'wal' });
    expect(db.get('PRAGMA synchronous')).toMatchObject({ synchronous: 2 });
    expect(db.get('PRAGMA user_version')).toMatchObject({ user_version: MIGRATIONS.length });
  });

  it('keeps what it has when it is opened again', () => {
    db.run(`INSERT INTO config (name, value) VALUES ('a', 'b')`);
    reopen();
    expect(db.all('SELECT * FROM config')).toMatchObject([{ name: 'a', value: 'b' }]);
  });

  it.each(MIGRATIONS.map((_, i) => i))('comes forward from schema %i', (version) => {
    db.close();
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), 'stepseal-db-'));
    const old = new DatabaseSync(join(folder, 'stepseal.db'));
    for (const sql of MIGRATIONS.slice(0, version)) old.exec(sql);
    old.exec(`PRAGMA user_version = ${version}`);
    old.close();
    db = openDatabase(folder);
    expect(db.get('PRAGMA user_version')).toMatchObject({ user_version: MIGRATIONS.length });
  });

  it('of a newer version is refused and left alone', () => {
    db.run(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    expect(() => openDatabase(folder)).toThrow(expect.objectContaining({ code: 'STORE_NEWER' }));
    db.run(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });

  it('does all of a transaction or nothing, also of one inside another', () => {
    const insert = (name: string) => db.run('INSERT INTO config (name, value) VALUES (?, ?)', name, 'x');
    expect(() =>
      db.transaction(() => {
        insert('a');
        db.transaction(() => insert('b'));
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(db.all('SELECT * FROM config')).toEqual([]);
    db.transaction(() => {
      insert('a');
      db.transaction(() => insert('b'));
    });
    reopen();
    expect(db.all('SELECT * FROM config').length).toBe(2);
  });

  it.each([
    ['is no database', (path: string) => writeFileSync(path, 'x'.repeat(8192))],
    ['is a folder', (path: string) => mkdirSync(path)],
  ])('that %s is refused, naming the file', (_, make) => {
    const other = join(folder, 'other');
    const path = join(other, 'stepseal.db');
    mkdirSync(other);
    make(path);
    expect(() => openDatabase(other)).toThrow(expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringContaining(path) }));
  });
});

describe('the identity of an installation', () => {
  const identity: Identity = { trustDomain: 'example.org', issuer: 'https://example.org', logOrigin: 'log-00000001.example.org', ctOrigin: 'ct-00000001.example.org' };

  it('is fixed at first start and accepted again', () => {
    expect(readIdentity(db)).toBeUndefined();
    fixIdentity(db, identity);
    reopen();
    fixIdentity(db, identity);
    expect(readIdentity(db)).toEqual(identity);
  });

  it.each(Object.keys(identity) as (keyof Identity)[])('refuses another %s and keeps the old one', (name) => {
    fixIdentity(db, identity);
    expect(() => fixIdentity(db, { ...identity, [name]: 'https://other.example' })).toThrow(
      expect.objectContaining({ code: 'CONFIG_CHANGED', message: expect.stringContaining(name), expected: identity[name], found: 'https://other.example' }),
    );
    expect(readIdentity(db)).toEqual(identity);
  });
});

describe('the lock of the data folder', () => {
  it('is taken once, also by the same process, and can be taken after its release', () => {
    const data = join(folder, 'made', 'by', 'lock');
    const lock = lockFolder(data);
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(() => lockFolder(data)).toThrow(expect.objectContaining({ code: 'FOLDER_LOCKED', message: expect.stringContaining(`process ${process.pid}`) }));
    lock.release();
    lockFolder(data).release();
  });

  it('is not taken where others could exchange what is in the folder; nothing is written there', () => {
    const data = join(folder, 'shared');
    mkdirSync(data);
    chmodSync(data, 0o777);
    expect(() => lockFolder(data)).toThrow(expect.objectContaining({ code: 'KEY_PERMISSIONS' }));
    expect(readdirSync(data)).toEqual([]);
  });

  it('ignores a pid that a killed server left behind', () => {
    const lock = lockFolder(folder);
    lock.release();
    db.run('SELECT 1');
    lockFolder(folder).release();
  });
});
