import { sha256 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { text } from './columns.ts';
import type { Database } from './database.ts';

export interface KeyUse {
  /** DER */
  readonly spki: Uint8Array;
  readonly spiffeId: string;
  /** attempt id of a step; for others the road: `workload`, `self`, `bearer` */
  readonly attemptId: string;
}

/**
 * Binds a public key to an identity and attempt, forever; call it before the certificate is signed. Returns 'again'
 * where it was bound to the same ones before. Throws KEY_ALREADY_CERTIFIED where it was bound to others.
 */
export function certifyKey(db: Database, { spki, spiffeId, attemptId }: KeyUse, now: number): 'first' | 'again' {
  const hash = sha256(spki);
  return db.transaction(() => {
    const row = db.get('SELECT spiffe_id, attempt_id FROM certified_keys WHERE hash = ?', hash);
    if (row === undefined) {
      db.run('INSERT INTO certified_keys (hash, spiffe_id, attempt_id, certified_ms) VALUES (?, ?, ?, ?)', hash, spiffeId, attemptId, now);
      return 'first';
    }
    if (text(row, 'spiffe_id') !== spiffeId || text(row, 'attempt_id') !== attemptId) {
      throw new StepsealError('KEY_ALREADY_CERTIFIED', 'the key was certified for another identity or attempt', { expected: 'a fresh key' });
    }
    return 'again';
  });
}
