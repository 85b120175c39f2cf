import { StepsealError } from '../base/errors.ts';
import { processName, type ProcessName } from './ancestry.ts';
import type { FileRights } from './file.ts';
import { closeAll, heldFolder, openProc, pinProc, procFolder, procRights, procNamespace, procStat } from './procfs.ts';

/** What is held of a step from its first process on, so that neither its number nor its namespace can become another's. */
export interface StepHold {
  readonly isolated: boolean;
  /** pid 1 of the step's namespace as this process sees it, or the step's supervisor */
  readonly process: ProcessName;
  /** `device:inode` */
  readonly pidNamespace: string;
  /** whose files the step reads */
  readonly rights: FileRights;
  /** the step's `/` */
  readonly rootFd: number;
  /** Whether the first process is still there. */
  alive(): boolean;
  /** Gives up the root and the namespaces. */
  release(): void;
}

/**
 * Pins root, mount and pid namespace of a step's first process, which waits. Throws STEP_PROCESS_GONE, STEP_NOT_ISOLATED
 * (declared isolated, but in the agent's own pid namespace), STEP_UNREADABLE (the kernel does not let this process look at it).
 */
export function holdStep(pid: number, isolated: boolean): StepHold {
  const proc = openProc(pid);
  if (proc === undefined) throw gone();
  const folder = heldFolder(proc);
  const pins: (number | undefined)[] = [proc];
  try {
    const pidNamespace = procNamespace(folder, 'pid');
    const ids = procRights(folder);
    const process = processName(pid);
    const rootFd = pinProc(folder, 'root');
    const mount = pinProc(folder, 'ns/mnt');
    const space = pinProc(folder, 'ns/pid');
    pins.push(rootFd, mount, space);
    const now = procStat(folder);
    if (now === undefined || now.state === 'Z' || process === undefined || ids === undefined || now.startTime !== process.startTime) throw gone();
    if (rootFd === undefined || mount === undefined || space === undefined || pidNamespace === undefined) {
      throw new StepsealError('STEP_UNREADABLE', 'the agent may not look at the step\'s process: it must run as the same user or as root', { found: `pid ${pid}` });
    }
    const own = procNamespace(procFolder(globalThis.process.pid), 'pid');
    if (isolated && pidNamespace === own) throw new StepsealError('STEP_NOT_ISOLATED', 'the step is said to be isolated, but shares the agent\'s pid namespace');
    return {
      isolated, process, pidNamespace, rights: ids, rootFd,
      alive: () => {
        const stat = procStat(folder);
        return stat !== undefined && stat.state !== 'Z';
      },
      release: () => closeAll(...pins.splice(0)),
    };
  } catch (error) {
    closeAll(...pins);
    throw error;
  }
}

function gone(): StepsealError {
  return new StepsealError('STEP_PROCESS_GONE', 'the step\'s first process has ended');
}
