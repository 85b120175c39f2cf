import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';

/** A folder that steps have written to: tools leave folders in it that even their owner may not write to (Go's module cache). */
export function removeAll(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    execFileSync('chmod', ['-R', 'u+rwX', folder]);
    rmSync(folder, { recursive: true, force: true });
  }
}
