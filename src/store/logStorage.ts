import { join } from 'node:path';
import { compareBytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Head, KeyedEntry, LogStorage } from '../log/storage.ts';
import { blob, number, textOrNone } from './columns.ts';
import type { Database, Row } from './database.ts';
import { openLogFiles } from './logFiles.ts';

const CHECKPOINT = 'checkpoint';
const GROUP = 64;

/**
 * The storage of one log: bodies and tiles in files below `<folder>/<log>`, head and keys in the database. `log` is a
 * short name that never changes, such as 'log' or 'ct'. The caller holds the lock of the data folder.
 */
export function openLogStorage({ db, folder, log }: { db: Database; folder: string; log: string }): LogStorage {
  const files = openLogFiles(join(folder, log));

  function head(): Head | undefined {
    const row = db.get('SELECT size, root, tail, tail_bytes FROM log_heads WHERE log = ?', log);
    return row && headOf(row);
  }

  function swap(expected: Head | undefined, { size, root, tail }: Head): boolean {
    const values = [size, root, tail?.name ?? null, tail?.bytes ?? 0];
    if (expected === undefined) {
      return db.run('INSERT INTO log_heads (size, root, tail, tail_bytes, log) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING', ...values, log) === 1;
    }
    const sql = 'UPDATE log_heads SET size = ?, root = ?, tail = ?, tail_bytes = ? WHERE log = ? AND size = ? AND root = ?';
    return db.run(sql, ...values, log, expected.size, expected.root) === 1;
  }

  return {
    ...files,
    locateKeys: () => `${db.path} (log_keys of ${log})`,
    head: async () => head(),
    async commit(expected, next, keys) {
      db.transaction(() => {
        if (!swap(expected, next)) {
          throw new StepsealError('LOG_CONFLICT', `another writer has moved the log ${log} on`, {
            expected: `size ${expected?.size ?? 0}`,
            found: `size ${head()?.size ?? 0}`,
          });
        }
        // in the order of the index, so that one commit touches each of its pages once
        const sorted = [...keys].sort((a, b) => compareBytes(a.key, b.key));
        for (const group of groups(sorted)) {
          const rows = group.map(() => '(?, ?, ?)').join(', ');
          db.run(`INSERT INTO log_keys (log, key, entry) VALUES ${rows}`, ...group.flatMap(({ key, index }) => [log, key, index]));
        }
      });
    },
    async lookup(keys) {
      const found = new Map<string, number>();
      for (const group of groups(keys)) {
        const rows = db.all(`SELECT key, entry FROM log_keys WHERE log = ? AND key IN (${group.map(() => '?').join(', ')})`, log, ...group);
        for (const row of rows) found.set(toHex(blob(row, 'key')), number(row, 'entry'));
      }
      return keys.map((key) => (found.size === 0 ? undefined : found.get(toHex(key))));
    },
    *keys(): Iterable<KeyedEntry> {
      const rows = db.iterate('SELECT key, entry FROM log_keys WHERE log = ?', log);
      for (const row of rows) yield { key: blob(row, 'key'), index: number(row, 'entry') };
    },
    writeCheckpoint: (text) => files.replace(CHECKPOINT, utf8(text)),
    async readCheckpoint() {
      const bytes = await files.read(CHECKPOINT);
      return bytes && fromUtf8(bytes);
    },
  };
}

/** Groups of GROUP, then single ones: two statements to prepare, and a call for each row costs more than the row. */
function groups<T>(items: readonly T[]): T[][] {
  const whole = items.length - (items.length % GROUP);
  return Array.from({ length: whole / GROUP + (items.length - whole) }, (_, i) => {
    const start = i < whole / GROUP ? i * GROUP : whole + (i - whole / GROUP);
    return items.slice(start, start < whole ? start + GROUP : start + 1);
  });
}

function headOf(row: Row): Head {
  const tail = textOrNone(row, 'tail');
  return {
    size: number(row, 'size'),
    root: blob(row, 'root'),
    tail: tail === undefined ? undefined : { name: tail, bytes: number(row, 'tail_bytes') },
  };
}
