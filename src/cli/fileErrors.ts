import { accessSync, constants } from 'node:fs';
import { asStepsealError, type StepsealError } from '../base/errors.ts';
import { makeFolder } from '../keys/files.ts';

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EEXIST: 'there is a file in the way',
  EISDIR: 'it is a folder',
  ELOOP: 'too many links',
  ENOENT: 'there is no such file',
  ENOTDIR: 'part of the path is a file',
  EROFS: 'the file system is read-only',
};

/** FILE_UNREADABLE with the file as the user named it and the reason; what is an error of ours already stays as it is. */
export function unreadable(path: string, cause: unknown): StepsealError {
  return asStepsealError(cause, 'FILE_UNREADABLE', `${path} cannot be read${reasonOf(cause)}`);
}

/** Makes a folder where there is none, before anything is done that would be lost without it. Throws FILE_UNWRITABLE. */
export function writableFolder(path: string, mode: number): void {
  try {
    makeFolder(path, mode);
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw asStepsealError(cause, 'FILE_UNWRITABLE', `${path} cannot be written to${reasonOf(cause)}`);
  }
}

function reasonOf(cause: unknown): string {
  const reason = REASONS[(cause as NodeJS.ErrnoException).code ?? ''];
  return reason === undefined ? '' : `: ${reason}`;
}
