import { sha256, utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { formatTime } from '../base/time.ts';
import { registerAgent } from './agents.ts';
import { number, numberOrNone } from './columns.ts';
import type { Database } from './database.ts';

/** Keeps a token that works once, until `expires` (ms). Only its hash is stored, so the token must be random, 128 bits or more. */
export function addJoinToken(db: Database, { token, now, expires }: { token: string; now: number; expires: number }): void {
  db.run('INSERT INTO join_tokens (hash, created_ms, expires_ms) VALUES (?, ?, ?)', sha256(utf8(token)), now, expires);
}

/**
 * Uses the token and registers the agent, both or nothing. A token that was late once stays late, whatever the clock
 * says afterwards. Throws JOIN_TOKEN_INVALID, JOIN_TOKEN_USED, JOIN_TOKEN_EXPIRED.
 */
export function redeemJoinToken(db: Database, { token, now, agentId }: { token: string; now: number; agentId: string }): void {
  const hash = sha256(utf8(token));
  const late = db.transaction(() => {
    const row = db.get('SELECT expires_ms, used_ms FROM join_tokens WHERE hash = ?', hash);
    if (row === undefined) throw new StepsealError('JOIN_TOKEN_INVALID', 'no such join token');
    const used = numberOrNone(row, 'used_ms');
    if (used !== undefined) throw new StepsealError('JOIN_TOKEN_USED', `the join token was used at ${formatTime(used)}`);
    const expires = number(row, 'expires_ms');
    if (now >= expires) {
      db.run('UPDATE join_tokens SET expires_ms = 0 WHERE hash = ?', hash);
      return expires;
    }
    db.run('UPDATE join_tokens SET used_ms = ?, agent_id = ? WHERE hash = ?', now, agentId, hash);
    registerAgent(db, { id: agentId, attestation: 'join_token', now });
    return undefined;
  });
  if (late !== undefined) {
    throw new StepsealError('JOIN_TOKEN_EXPIRED', late === 0 ? 'the join token is past its end' : `the join token ended at ${formatTime(late)}`);
  }
}
