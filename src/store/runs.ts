import { StepsealError } from '../base/errors.ts';
import { blobOrNone, number, numberOrNone, text, textOrNone } from './columns.ts';
import type { Database } from './database.ts';

export interface TaskRunRow {
  readonly uid: string;
  /** '' for a single Task */
  readonly pipelineTask: string;
  readonly task: string;
}

export interface Run {
  readonly uid: string;
  /** JSON, as the server resolved it */
  readonly plan: string;
  readonly taskRuns: readonly TaskRunRow[];
  readonly created: number;
  readonly finished: number | undefined;
  /** JSON, as the runner told it at the end */
  readonly view: string | undefined;
  /** bundle; undefined while the run goes on and where provenance was refused */
  readonly provenance: Uint8Array | undefined;
}

/** Keeps a run with its TaskRuns, in their order. UIDs are new: they are random. */
export function createRun(db: Database, run: { uid: string; plan: string; taskRuns: readonly TaskRunRow[]; now: number }): void {
  db.transaction(() => {
    db.run('INSERT INTO runs (uid, plan, created_ms) VALUES (?, ?, ?)', run.uid, run.plan, run.now);
    for (const [position, { uid, pipelineTask, task }] of run.taskRuns.entries()) {
      const sql = 'INSERT INTO task_runs (uid, run_uid, position, pipeline_task, task) VALUES (?, ?, ?, ?, ?)';
      db.run(sql, uid, run.uid, position, pipelineTask, task);
    }
  });
}

/** Throws RUN_UNKNOWN. */
export function readRun(db: Database, uid: string): Run {
  const row = db.get('SELECT * FROM runs WHERE uid = ?', uid);
  if (row === undefined) throw unknown(uid);
  const taskRuns = db.all('SELECT * FROM task_runs WHERE run_uid = ? ORDER BY position', uid);
  return {
    uid,
    plan: text(row, 'plan'),
    taskRuns: taskRuns.map((r) => ({ uid: text(r, 'uid'), pipelineTask: text(r, 'pipeline_task'), task: text(r, 'task') })),
    created: number(row, 'created_ms'),
    finished: numberOrNone(row, 'finished_ms'),
    view: textOrNone(row, 'view'),
    provenance: blobOrNone(row, 'provenance'),
  };
}

/** UID of the run that a TaskRun belongs to. Throws RUN_UNKNOWN. */
export function runOfTaskRun(db: Database, taskRunUid: string): string {
  const row = db.get('SELECT run_uid FROM task_runs WHERE uid = ?', taskRunUid);
  if (row === undefined) throw unknown(taskRunUid);
  return text(row, 'run_uid');
}

export interface RunEnd {
  readonly uid: string;
  readonly now: number;
  /** JSON, as the runner told it */
  readonly view: string;
  /** undefined where it was refused */
  readonly provenance: Uint8Array | undefined;
}

/** Ends a run, once, and with it every attempt that is still open: its roads close. Throws RUN_UNKNOWN, RUN_FINISHED. */
export function finishRun(db: Database, { uid, now, view, provenance }: RunEnd): void {
  db.transaction(() => {
    const row = db.get('SELECT finished_ms FROM runs WHERE uid = ?', uid);
    if (row === undefined) throw unknown(uid);
    if (numberOrNone(row, 'finished_ms') !== undefined) throw new StepsealError('RUN_FINISHED', `run ${uid} is finished`);
    db.run('UPDATE runs SET finished_ms = ?, view = ?, provenance = ? WHERE uid = ?', now, view, provenance ?? null, uid);
    db.run(
      `UPDATE attempts SET closed_ms = ?, reason = 'lost' WHERE closed_ms IS NULL AND task_run_uid IN (SELECT uid FROM task_runs WHERE run_uid = ?)`,
      now, uid,
    );
  });
}

function unknown(uid: string): StepsealError {
  return new StepsealError('RUN_UNKNOWN', 'no such run', { found: uid });
}
