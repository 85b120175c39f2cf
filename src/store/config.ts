import { StepsealError } from '../base/errors.ts';
import { text } from './columns.ts';
import type { Database } from './database.ts';

/** What this installation is, as opposed to where it listens. Fixed at first start. */
export interface Identity {
  readonly trustDomain: string;
  readonly issuer: string;
  readonly logOrigin: string;
  readonly ctOrigin: string;
}

const NAMES = ['trustDomain', 'issuer', 'logOrigin', 'ctOrigin'] as const satisfies (keyof Identity)[];

/** What was fixed, or undefined before the first start. */
export function readIdentity(db: Database): Identity | undefined {
  const rows = new Map(db.all('SELECT name, value FROM config').map((row) => [text(row, 'name'), text(row, 'value')]));
  const values = NAMES.map((name) => [name, rows.get(name)] as const);
  return values.every(([, value]) => value !== undefined) ? (Object.fromEntries(values) as unknown as Identity) : undefined;
}

/** Fixes the identity at first start; later only the same one is accepted. Throws CONFIG_CHANGED naming what differs. */
export function fixIdentity(db: Database, identity: Identity): void {
  db.transaction(() => {
    const known = readIdentity(db);
    for (const name of NAMES) {
      if (known === undefined) db.run('INSERT INTO config (name, value) VALUES (?, ?)', name, identity[name]);
      else if (known[name] !== identity[name]) {
        throw new StepsealError('CONFIG_CHANGED', `${name} is fixed in ${db.path}`, { expected: known[name], found: identity[name] });
      }
    }
  });
}
