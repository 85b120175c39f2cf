import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StepsealError } from '../base/errors.ts';
import { keyPath } from '../keys/certified.ts';
import { loadKey } from '../keys/signer.ts';
import { checkLog, type LogReport } from '../log/check.ts';
import { ctKey, tlogKey } from '../log/checkpoints.ts';
import { STATIC_CT, TLOG } from '../log/format.ts';
import { readIdentity } from '../store/config.ts';
import { openDatabase } from '../store/database.ts';
import { lockFolder } from '../store/lock.ts';
import { openLogStorage } from '../store/logStorage.ts';

export interface CheckedLog extends LogReport {
  readonly name: 'log' | 'ct';
  readonly origin: string;
}

/**
 * Re-derives both logs of a stopped server from their files: every entry, tile, root, key index and checkpoint.
 * Throws FOLDER_LOCKED while a server runs, STORE_*, KEY_*; what is wrong with a log is in its report.
 */
export async function checkLogs(data: string): Promise<CheckedLog[]> {
  // before anything could be made there
  if (!existsSync(join(data, 'stepseal.db'))) throw notAServer(data);
  const lock = lockFolder(data);
  try {
    const db = openDatabase(data);
    try {
      const identity = readIdentity(db);
      if (identity === undefined) throw notAServer(data);
      const signer = async (name: string, algorithm: 'ed25519' | 'ecdsa-p256-sha256') => {
        const path = keyPath(join(data, 'keys'), name);
        const key = await loadKey(path, algorithm);
        if (key === undefined) throw new StepsealError('KEY_MISSING', `${path} is missing, and the installation has used it`);
        return key;
      };
      const storage = (log: string) => openLogStorage({ db, folder: join(data, 'logs'), log });
      const { logOrigin, ctOrigin } = identity;
      const log = await checkLog({ storage: storage('tlog'), format: TLOG, key: tlogKey(logOrigin, await signer('log', 'ed25519')) });
      const ct = await checkLog({ storage: storage('ct'), format: STATIC_CT, key: ctKey(ctOrigin, await signer('ct-log', 'ecdsa-p256-sha256')) });
      return [{ name: 'log', origin: logOrigin, ...log }, { name: 'ct', origin: ctOrigin, ...ct }];
    } finally {
      db.close();
    }
  } finally {
    lock.release();
  }
}

function notAServer(data: string): StepsealError {
  return new StepsealError('STORE_MISSING', `${data} is not the data folder of a server`, { expected: 'a folder that a server has used' });
}
