import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { storeError } from './errors.ts';
import { MIGRATIONS } from './migrations.ts';

export type Row = Record<string, SQLOutputValue>;

/** SQLite, synchronous: a call blocks the event loop for as long as the disk takes. All failures are STORE_FULL or STORE_FAILED. */
export interface Database {
  readonly path: string;
  get(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all(sql: string, ...values: SQLInputValue[]): Row[];
  iterate(sql: string, ...values: SQLInputValue[]): Iterable<Row>;
  /** Number of rows changed. Durable when it returns, outside a transaction. */
  run(sql: string, ...values: SQLInputValue[]): number;
  /** All or nothing, durable when it returns; inside another transaction it is part of that one. `body` must not await. */
  transaction<T>(body: () => T): T;
  close(): void;
}

/**
 * Opens `stepseal.db` in the folder (0600), creates or migrates it. WAL with synchronous=FULL: a committed transaction
 * survives power loss. The caller holds the folder's lock. Throws STORE_NEWER, STORE_FAILED, STORE_FULL.
 */
export function openDatabase(folder: string): Database {
  const path = join(folder, 'stepseal.db');
  return guard(path, () => {
    createPrivate(path);
    const sqlite = new DatabaseSync(path, { timeout: 5000 });
    try {
      sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384');
      const database = wrap(path, sqlite);
      migrate(database, sqlite);
      return database;
    } catch (error) {
      sqlite.close();
      throw error;
    }
  });
}

// only where it does not exist: closing a descriptor of an open database would drop SQLite's locks (fcntl(2))
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function wrap(path: string, sqlite: DatabaseSync): Database {
  const statements = new Map<string, StatementSync>();
  function statement(sql: string): StatementSync {
    const prepared = statements.get(sql) ?? sqlite.prepare(sql);
    statements.set(sql, prepared);
    return prepared;
  }
  return {
    path,
    get: (sql, ...values) => guard(path, () => statement(sql).get(...values)),
    all: (sql, ...values) => guard(path, () => statement(sql).all(...values)),
    // a statement of its own: the caller may run the same SQL while it iterates
    iterate: (sql, ...values) => guard(path, () => sqlite.prepare(sql).iterate(...values)),
    run: (sql, ...values) => guard(path, () => Number(statement(sql).run(...values).changes)),
    transaction(body) {
      if (sqlite.isTransaction) return body();
      guard(path, () => sqlite.exec('BEGIN IMMEDIATE'));
      try {
        const result = body();
        guard(path, () => sqlite.exec('COMMIT'));
        return result;
      } catch (error) {
        // SQLite has rolled back by itself after some failures, such as a full disk
        if (sqlite.isTransaction) guard(path, () => sqlite.exec('ROLLBACK'));
        throw error;
      }
    },
    close() {
      statements.clear();
      sqlite.close();
    },
  };
}

function migrate(database: Database, sqlite: DatabaseSync): void {
  const version = Number(database.get('PRAGMA user_version')?.['user_version']);
  if (version > MIGRATIONS.length) {
    throw new StepsealError('STORE_NEWER', `${database.path} was written by a newer Stepseal`, {
      expected: `schema ${MIGRATIONS.length} or older`,
      found: `schema ${version}`,
    });
  }
  for (const [i, sql] of MIGRATIONS.entries()) {
    if (i < version) continue;
    database.transaction(() => {
      sqlite.exec(sql);
      sqlite.exec(`PRAGMA user_version = ${i + 1}`);
    });
  }
}

function guard<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw isStepsealError(error) ? error : storeError(path, error);
  }
}
