import { number, numberOrNone, text, textOrNone } from './columns.ts';
import type { Database, Row } from './database.ts';

export interface Agent {
  /** SPIFFE ID */
  readonly id: string;
  readonly attestation: 'join_token';
  readonly joined: number;
  /** of its newest SVID, hex */
  readonly serial: string | undefined;
  readonly notAfter: number | undefined;
}

/** The id is new: it carries a random part. */
export function registerAgent(db: Database, { id, attestation, now }: { id: string; attestation: Agent['attestation']; now: number }): void {
  db.run('INSERT INTO agents (id, attestation, joined_ms) VALUES (?, ?, ?)', id, attestation, now);
}

export function findAgent(db: Database, id: string): Agent | undefined {
  const row = db.get('SELECT * FROM agents WHERE id = ?', id);
  return row && agentOf(row);
}

export function listAgents(db: Database): Agent[] {
  return db.all('SELECT * FROM agents ORDER BY joined_ms, id').map(agentOf);
}

/** Notes the agent's newest SVID. False where there is no such agent. */
export function noteAgentSvid(db: Database, { id, serial, notAfter }: { id: string; serial: string; notAfter: number }): boolean {
  return db.run('UPDATE agents SET serial = ?, not_after_ms = ? WHERE id = ?', serial, notAfter, id) === 1;
}

function agentOf(row: Row): Agent {
  return {
    id: text(row, 'id'),
    attestation: text(row, 'attestation') as Agent['attestation'],
    joined: number(row, 'joined_ms'),
    serial: textOrNone(row, 'serial'),
    notAfter: numberOrNone(row, 'not_after_ms'),
  };
}
