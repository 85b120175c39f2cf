/**
 * The schema, forward only: migration i brings a database from version i to i + 1. A released one is never edited.
 * Times are ms since the epoch; hashes and DER are blobs; JSON is text.
 */
export const MIGRATIONS: readonly string[] = [
  `
  -- identities of this installation, fixed at first start
  CREATE TABLE config (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT;

  CREATE TABLE join_tokens (
    hash BLOB PRIMARY KEY,            -- SHA-256 of the token
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms INTEGER,
    agent_id TEXT                     -- who used it
  ) STRICT;

  CREATE TABLE agents (
    id TEXT PRIMARY KEY,              -- SPIFFE ID
    attestation TEXT NOT NULL,        -- 'join_token'
    joined_ms INTEGER NOT NULL,
    serial TEXT,                      -- of its newest SVID, hex
    not_after_ms INTEGER
  ) STRICT;

  CREATE TABLE runs (
    uid TEXT PRIMARY KEY,
    plan TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    finished_ms INTEGER,
    view TEXT,                        -- what the runner says happened
    provenance BLOB                   -- bundle; null where it was refused
  ) STRICT;

  CREATE TABLE task_runs (
    uid TEXT PRIMARY KEY,
    run_uid TEXT NOT NULL REFERENCES runs (uid),
    position INTEGER NOT NULL,
    pipeline_task TEXT NOT NULL,      -- '' for a single Task
    task TEXT NOT NULL,
    UNIQUE (run_uid, position)
  ) STRICT;

  CREATE TABLE attempts (
    id TEXT PRIMARY KEY,
    task_run_uid TEXT NOT NULL REFERENCES task_runs (uid),
    step TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    agent_id TEXT NOT NULL REFERENCES agents (id),
    spiffe_id TEXT NOT NULL,
    evidence TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    claimed_ms INTEGER,               -- the one final claim
    closed_ms INTEGER,
    reason TEXT,                      -- 'ended' or 'lost'
    claim_bundle BLOB,
    evidence_bundle BLOB,
    UNIQUE (task_run_uid, step, attempt)
  ) STRICT;

  CREATE TABLE attempt_artifacts (
    attempt_id TEXT NOT NULL REFERENCES attempts (id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bundle BLOB NOT NULL,
    PRIMARY KEY (attempt_id, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE certified_keys (
    hash BLOB PRIMARY KEY,            -- SHA-256 of the SPKI
    spiffe_id TEXT NOT NULL,
    attempt_id TEXT NOT NULL,         -- '' for identities without attempts
    certified_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE log_heads (
    log TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    tail TEXT,
    tail_bytes INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE log_keys (
    log TEXT NOT NULL,
    key BLOB NOT NULL,                -- what makes two submissions the same entry
    entry INTEGER NOT NULL,
    PRIMARY KEY (log, key)
  ) STRICT, WITHOUT ROWID;
  `,
];
