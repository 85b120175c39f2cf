import { StepsealError } from '../base/errors.ts';
import { blob, blobOrNone, number, numberOrNone, text, textOrNone } from './columns.ts';
import type { Database, Row } from './database.ts';
import { runOfTaskRun } from './runs.ts';

export interface Attempt {
  readonly id: string;
  readonly taskRunUid: string;
  readonly step: string;
  readonly attempt: number;
  readonly agentId: string;
  readonly spiffeId: string;
  /** canonical JSON, whose digest certificates of this attempt carry */
  readonly evidence: string;
  readonly opened: number;
  /** when the one final claim was taken; Seal is closed from then on */
  readonly claimed: number | undefined;
  readonly closed: number | undefined;
  readonly reason: 'ended' | 'lost' | undefined;
  readonly claimBundle: Uint8Array | undefined;
  readonly evidenceBundle: Uint8Array | undefined;
}

export interface AttemptArtifact {
  readonly name: string;
  /** hex */
  readonly sha256: string;
  readonly bundle: Uint8Array;
}

export type NewAttempt = Pick<Attempt, 'id' | 'taskRunUid' | 'step' | 'attempt' | 'agentId' | 'spiffeId' | 'evidence'>;

/** Opens the roads of one attempt of one step. Throws RUN_UNKNOWN, RUN_FINISHED, ATTEMPT_EXISTS. */
export function openAttempt(db: Database, attempt: NewAttempt, now: number): void {
  db.transaction(() => {
    const run = runOfTaskRun(db, attempt.taskRunUid);
    if (db.get('SELECT 1 FROM runs WHERE uid = ? AND finished_ms IS NOT NULL', run)) {
      throw new StepsealError('RUN_FINISHED', `run ${run} is finished`);
    }
    const changes = db.run(
      `INSERT INTO attempts (id, task_run_uid, step, attempt, agent_id, spiffe_id, evidence, opened_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (task_run_uid, step, attempt) DO NOTHING`,
      attempt.id, attempt.taskRunUid, attempt.step, attempt.attempt, attempt.agentId, attempt.spiffeId, attempt.evidence, now,
    );
    if (changes === 0) {
      throw new StepsealError('ATTEMPT_EXISTS', `attempt ${attempt.attempt} of step ${attempt.step} was opened already`, {
        found: attempt.taskRunUid,
      });
    }
  });
}

/** Throws ATTEMPT_UNKNOWN. */
export function readAttempt(db: Database, id: string): Attempt {
  const row = db.get('SELECT * FROM attempts WHERE id = ?', id);
  if (row === undefined) throw new StepsealError('ATTEMPT_UNKNOWN', 'no such attempt', { found: id });
  return attemptOf(row);
}

/** The attempt, if its roads are open. Throws ATTEMPT_UNKNOWN; ATTEMPT_ENDED after its final claim or its end. */
export function readOpenAttempt(db: Database, id: string): Attempt {
  const attempt = readAttempt(db, id);
  if (attempt.closed !== undefined || attempt.claimed !== undefined) throw ended(attempt);
  return attempt;
}

/** Takes the one final claim. Throws ATTEMPT_UNKNOWN, ATTEMPT_ENDED; CLAIM_EQUIVOCATION for a second one. */
export function takeFinalClaim(db: Database, id: string, now: number): void {
  db.transaction(() => {
    const attempt = readAttempt(db, id);
    if (attempt.claimed !== undefined) throw new StepsealError('CLAIM_EQUIVOCATION', `attempt ${id} has made its final claim`);
    if (attempt.closed !== undefined) throw ended(attempt);
    db.run('UPDATE attempts SET claimed_ms = ? WHERE id = ?', now, id);
  });
}

export interface AttemptEnd {
  readonly id: string;
  readonly now: number;
  readonly reason: 'ended' | 'lost';
  readonly claimBundle?: Uint8Array | undefined;
  readonly evidenceBundle?: Uint8Array | undefined;
  readonly artifacts?: readonly AttemptArtifact[];
}

/** Closes every road and keeps what the agent made, once. Throws ATTEMPT_UNKNOWN, ATTEMPT_ENDED. */
export function closeAttempt(db: Database, end: AttemptEnd): void {
  db.transaction(() => {
    const attempt = readAttempt(db, end.id);
    if (attempt.closed !== undefined) throw ended(attempt);
    db.run(
      'UPDATE attempts SET closed_ms = ?, reason = ?, claim_bundle = ?, evidence_bundle = ? WHERE id = ?',
      end.now, end.reason, end.claimBundle ?? null, end.evidenceBundle ?? null, end.id,
    );
    for (const [position, { name, sha256, bundle }] of (end.artifacts ?? []).entries()) {
      const sql = 'INSERT INTO attempt_artifacts (attempt_id, position, name, sha256, bundle) VALUES (?, ?, ?, ?, ?)';
      db.run(sql, end.id, position, name, sha256, bundle);
    }
  });
}

/** The agent of a TaskRun: whoever opened its first attempt. */
export function agentOfTaskRun(db: Database, taskRunUid: string): string | undefined {
  const row = db.get('SELECT agent_id FROM attempts WHERE task_run_uid = ? LIMIT 1', taskRunUid);
  return row && text(row, 'agent_id');
}

/** Every attempt of a run, in the order in which they were opened. */
export function attemptsOfRun(db: Database, runUid: string): Attempt[] {
  return db
    .all('SELECT attempts.* FROM attempts JOIN task_runs ON task_runs.uid = task_run_uid WHERE run_uid = ? ORDER BY attempts.rowid', runUid)
    .map(attemptOf);
}

export function artifactsOfAttempt(db: Database, id: string): AttemptArtifact[] {
  return db
    .all('SELECT name, sha256, bundle FROM attempt_artifacts WHERE attempt_id = ? ORDER BY position', id)
    .map((row) => ({ name: text(row, 'name'), sha256: text(row, 'sha256'), bundle: blob(row, 'bundle') }));
}

function ended(attempt: Attempt): StepsealError {
  return new StepsealError('ATTEMPT_ENDED', `attempt ${attempt.id} has ended`, { found: attempt.reason ?? 'final claim made' });
}

function attemptOf(row: Row): Attempt {
  return {
    id: text(row, 'id'),
    taskRunUid: text(row, 'task_run_uid'),
    step: text(row, 'step'),
    attempt: number(row, 'attempt'),
    agentId: text(row, 'agent_id'),
    spiffeId: text(row, 'spiffe_id'),
    evidence: text(row, 'evidence'),
    opened: number(row, 'opened_ms'),
    claimed: numberOrNone(row, 'claimed_ms'),
    closed: numberOrNone(row, 'closed_ms'),
    reason: textOrNone(row, 'reason') as Attempt['reason'],
    claimBundle: blobOrNone(row, 'claim_bundle'),
    evidenceBundle: blobOrNone(row, 'evidence_bundle'),
  };
}
