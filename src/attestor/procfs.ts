import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/**
 * Reading of /proc. A process is named by its folder: `/proc/PID`, or, so that a recycled number can never be read, the
 * descriptor of that folder (`/proc/self/fd/N`): proc(5). Each function answers undefined where the process has ended
 * or may not be looked at.
 */
export type ProcFolder = string;

export interface ProcStat {
  readonly ppid: number;
  readonly session: number;
  /** clock ticks since boot; with the pid it names one process until the next boot */
  readonly startTime: string;
  /** `Z`: ended, not yet waited for */
  readonly state: string;
}

export interface ProcIds {
  /** effective */
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, capabilities(7) */
const DAC_CAPABILITIES = 0b110n;
const GONE = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

export const procFolder = (pid: number): ProcFolder => `/proc/${pid}`;

/** The fields after the name, which is in parentheses and may hold anything, also `) `. */
export function procStat(folder: ProcFolder): ProcStat | undefined {
  const text = unlessGone(() => readFileSync(`${folder}/stat`, 'latin1'));
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields.length < 20) return undefined;
  return { state: fields[0]!, ppid: Number(fields[1]), session: Number(fields[3]), startTime: fields[19]! };
}

export function procIds(folder: ProcFolder): ProcIds | undefined {
  const text = unlessGone(() => readFileSync(`${folder}/status`, 'latin1'));
  if (text === undefined) return undefined;
  const numbers = (name: string): number[] => (new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '').split(/\s+/).filter(Boolean).map(Number);
  const [uid, gid] = [numbers('Uid')[1], numbers('Gid')[1]];
  return uid === undefined || gid === undefined ? undefined : { uid, gid, groups: numbers('Groups') };
}

/** What the process may read: its ids, and whether it overrides permissions, in this process' user namespace and not in one of its own. */
export function procRights(folder: ProcFolder): (ProcIds & { readonly overrides: boolean }) | undefined {
  const ids = procIds(folder);
  const capabilities = unlessGone(() => /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync(`${folder}/status`, 'latin1'))?.[1]);
  if (ids === undefined || capabilities === undefined) return undefined;
  const space = procNamespace(folder, 'user');
  const overrides = (BigInt(`0x${capabilities}`) & DAC_CAPABILITIES) !== 0n && space !== undefined && space === procNamespace(procFolder(process.pid), 'user');
  return { ...ids, overrides };
}

/** `device:inode` of a namespace: two processes are in the same one when these are equal, while somebody holds it open. */
export function procNamespace(folder: ProcFolder, kind: 'pid' | 'mnt' | 'user'): string | undefined {
  const about = unlessGone(() => statSync(`${folder}/ns/${kind}`, { bigint: true }));
  return about === undefined ? undefined : `${about.dev}:${about.ino}`;
}

export function procExe(folder: ProcFolder): string | undefined {
  return unlessGone(() => readlinkSync(`${folder}/exe`));
}

/** Every process that can be seen. */
export function procList(): number[] {
  return readdirSync('/proc').filter((name) => /^[1-9][0-9]*$/.test(name)).map(Number);
}

const O_PATH = 0o10000000;

/** A descriptor of /proc/PID, to be closed by the caller; what is read through it is never another process. */
export function openProc(pid: number): number | undefined {
  return unlessGone(() => openSync(procFolder(pid), O_PATH | constants.O_DIRECTORY));
}

/** A descriptor of something of the process that is only pinned, not read: `root`, `ns/mnt`. */
export function pinProc(folder: ProcFolder, name: string): number | undefined {
  return unlessGone(() => openSync(`${folder}/${name}`, name === 'root' ? O_PATH | constants.O_DIRECTORY : constants.O_RDONLY));
}

export const heldFolder = (fd: number): ProcFolder => `/proc/self/fd/${fd}`;

export function closeAll(...descriptors: readonly (number | undefined)[]): void {
  for (const fd of descriptors) if (fd !== undefined) closeSync(fd);
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (GONE.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
