import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { equalBytes } from '../../src/base/bytes.ts';
import type { Signer } from '../../src/base/ports.ts';
import { checkLog, type LogReport } from '../../src/log/check.ts';
import { ctKey, tlogKey } from '../../src/log/checkpoints.ts';
import { STATIC_CT, TLOG } from '../../src/log/format.ts';
import type { LogStorage } from '../../src/log/storage.ts';
import type { Proof } from '../../src/log/types.ts';
import { openCheckpoint } from '../../src/merkle/checkpoint.ts';
import { leafHash } from '../../src/merkle/hash.ts';
import { verifyInclusion } from '../../src/merkle/verify.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { openLogStorage } from '../../src/store/logStorage.ts';
import { seededSigner } from './seeded.ts';

export const ORIGIN = 'log-0a1b2c3d.example.org';
export const CT_ORIGIN = 'ct-0a1b2c3d.example.org';

/** The same in every process, so that a test can check what its child wrote. */
export const logSigner: Signer = seededSigner('log', 'ed25519');
export const ctSigner: Signer = p256Signer();

export function p256Signer(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { algorithm: 'ecdsa-p256-sha256', spki: publicKey.export({ format: 'der', type: 'spki' }), sign: (data) => sign('sha256', data, privateKey) };
}

export interface TestStore {
  readonly folder: string;
  db: Database;
  /** the folder of one log below the data folder */
  path(...parts: string[]): string;
  storage(log?: 'log' | 'ct'): LogStorage;
  /** what the next start of a process finds */
  reopen(): void;
  remove(): void;
}

/** A data folder of its own; remove it at the end. */
export function createStore(folder: string = mkdtempSync(join(tmpdir(), 'stepseal-log-'))): TestStore {
  const store: TestStore = {
    folder,
    db: openDatabase(folder),
    path: (...parts) => join(folder, 'log', ...parts),
    storage: (log = 'log') => openLogStorage({ db: store.db, folder, log }),
    reopen() {
      store.db.close();
      store.db = openDatabase(folder);
    },
    remove() {
      store.db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return store;
}

/** Tests that do not expect a warning fail on one. */
export function noWarning(error: unknown): void {
  throw error;
}

export function check(storage: LogStorage, kind: 'log' | 'ct' = 'log'): Promise<LogReport> {
  return kind === 'log'
    ? checkLog({ storage, format: TLOG, key: tlogKey(ORIGIN, logSigner) })
    : checkLog({ storage, format: STATIC_CT, key: ctKey(CT_ORIGIN, ctSigner) });
}

/** What a client does with an answer: signature of the checkpoint, then the proof against its root. */
export function verifyAnswer(entry: Uint8Array, answer: Proof): void {
  const checkpoint = openCheckpoint(answer.checkpoint, tlogKey(ORIGIN, logSigner));
  assert.equal(checkpoint.size, answer.treeSize);
  assert.ok(equalBytes(checkpoint.root, answer.rootHash));
  verifyInclusion({ index: answer.index, size: answer.treeSize, leafHash: leafHash(entry), proof: answer.hashes, root: answer.rootHash });
}

/** Distinct entries `name 0`, `name 1`, … */
export function entriesOf(name: string, count: number, from = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(`${name} ${from + i}`));
}
