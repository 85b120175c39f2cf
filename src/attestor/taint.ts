import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Whether unisolated steps may have left processes behind that look like the person's: `open` while that can still be
 * settled, `closed` when it no longer can. Kept in the agent's folder, so that a restarted agent knows; it ends with
 * the boot, as every process does.
 */
export interface Taint {
  readonly open: boolean;
  readonly closed: boolean;
  set(): void;
  clear(): void;
  close(): void;
}

export const TAINT_FILE = 'unisolated-steps';

export function openTaint(folder: string): Taint {
  const path = join(folder, TAINT_FILE);
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const left = readIfThere(path) === boot;
  let state: 'no' | 'open' | 'closed' = left ? 'closed' : 'no';
  return {
    get open() {
      return state === 'open';
    },
    get closed() {
      return state === 'closed';
    },
    set() {
      if (state !== 'no') return;
      state = 'open';
      const fd = openSync(path, 'w', 0o600);
      writeSync(fd, boot);
      fsyncSync(fd);
      closeSync(fd);
    },
    clear() {
      if (state !== 'open') return;
      state = 'no';
      rmSync(path);
    },
    close() {
      state = 'closed';
    },
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
