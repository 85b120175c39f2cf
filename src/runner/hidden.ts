import { realpathSync, statSync } from 'node:fs';
import { StepsealError } from '../base/errors.ts';

export interface HiddenFolder {
  /** real path */
  readonly path: string;
  readonly device: number;
  readonly inode: number;
}

/** Remembers the folders that steps must not see; those that do not exist are left out. */
export function holdHidden(paths: readonly string[]): HiddenFolder[] {
  return paths.flatMap((path) => {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return [];
    const real = realpathSync(path);
    const { dev, ino } = statSync(real);
    return [{ path: real, device: dev, inode: ino }];
  });
}

/** A step may rename what is in its workspaces, and with it a folder that the next step is not to see. Throws RUNNER_STATE_MOVED. */
export function assertUnmoved(folders: readonly HiddenFolder[]): void {
  for (const { path, device, inode } of folders) {
    const now = statSync(path, { throwIfNoEntry: false });
    if (now?.dev !== device || now.ino !== inode) throw new StepsealError('RUNNER_STATE_MOVED', `${path} is not the folder that it was when the run began`);
  }
}
