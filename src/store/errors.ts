import { type ErrorDetail, StepsealError } from '../base/errors.ts';

// primary result codes, https://www.sqlite.org/rescode.html
const SQLITE_FULL = 13;
const NO_SPACE: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];

interface SystemError extends Error {
  readonly code?: unknown;
  readonly errcode?: unknown;
}

/** STORE_FULL where the cause is a full disk, quota or file-size limit, STORE_FAILED otherwise; names the file. */
export function storeError(path: string, cause: unknown): StepsealError {
  const { code, errcode } = cause as SystemError;
  const detail: ErrorDetail = { found: cause instanceof Error ? cause.message : String(cause), cause };
  if (NO_SPACE.includes(code) || (typeof errcode === 'number' && errcode % 256 === SQLITE_FULL)) {
    return new StepsealError('STORE_FULL', `no space for ${path}`, detail);
  }
  return new StepsealError('STORE_FAILED', `${path} cannot be read or written`, detail);
}

/** True for the errno of a file that is not there. */
export function isAbsent(error: unknown): boolean {
  return (error as SystemError).code === 'ENOENT';
}
