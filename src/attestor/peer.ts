import { closeSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { StepsealError } from '../base/errors.ts';
import { requireNative } from '../keys/native.ts';
import { closeAll, heldFolder, openProc, procIds, procStat, type ProcFolder } from './procfs.ts';

/** How the caller was held: by a kernel handle of the process, or by its number, start time and ids (docs/design/0041). */
export type PeerMode = 'pidfd' | 'procfd';

/** The process on the other end of a connection, as it was when it connected. */
export interface Peer {
  readonly mode: PeerMode;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** what to read in /proc; valid as long as the connection */
  readonly folder: ProcFolder;
  /** Throws PEER_GONE unless the process that connected still lives under the same ids. To be called after reading `folder`: then what was read was read of it. */
  assertAlive(): void;
}

const POLL_MS = 1000;

/**
 * Reads who connected, at accept. Must be called before the connection is served; from then on the connection is
 * destroyed when the process ends. `mode` is for tests and for kernels before 6.5, where SO_PEERPIDFD is missing.
 * Throws PEER_UNKNOWN (the process is outside this pid namespace, or ended before it was looked at), NATIVE_UNAVAILABLE.
 */
export function peerOf(socket: Socket, mode: 'auto' | PeerMode = 'auto'): Peer {
  const addon = requireNative();
  const fd = descriptorOf(socket);
  const { pid, uid, gid } = addon.peerCredentials(fd);
  if (pid === 0) throw new StepsealError('PEER_UNKNOWN', 'the caller is outside the pid namespace of this process');
  const proc = openProc(pid);
  if (proc === undefined) throw gone();
  const folder = heldFolder(proc);
  try {
    const hold = mode === 'procfd' ? undefined : holdPidfd(fd, pid, mode);
    const alive = hold === undefined ? holdProcfd(folder, uid, gid) : () => addon.pidfdAlive(hold) && procIds(folder)?.uid === uid;
    const stop = hold === undefined ? pollExit(alive, socket) : addon.watchExit(hold, () => socket.destroy());
    socket.once('close', () => {
      stop();
      closeAll(proc, hold);
    });
    const closed = (): boolean => socket.destroyed;
    return {
      mode: hold === undefined ? 'procfd' : 'pidfd', pid, uid, gid, folder,
      assertAlive() {
        if (closed() || !alive()) throw gone();
      },
    };
  } catch (error) {
    closeSync(proc);
    throw error;
  }
}

/** Node has no public way from a socket to its descriptor. */
function descriptorOf(socket: Socket): number {
  const handle = (socket as unknown as { _handle: { fd: number } | null })._handle;
  if (handle === null || handle.fd < 0) throw gone();
  return handle.fd;
}

/** The pidfd of the connecting process, if it is that of `pid` and alive; undefined where the kernel has none. */
function holdPidfd(fd: number, pid: number, mode: 'auto' | PeerMode): number | undefined {
  const addon = requireNative();
  let pidfd: number;
  try {
    pidfd = addon.peerPidfd(fd);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOPROTOOPT' && mode === 'auto') return undefined;
    if (code === 'ESRCH' || code === 'EINVAL') throw gone();
    throw new StepsealError('PEER_UNKNOWN', 'the kernel gives no handle of the calling process', { found: String(code), cause: error });
  }
  // /proc/PID was opened before this check: a living process keeps its number, so both are the same process
  const described = /^Pid:\s*(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'latin1'))?.[1];
  if (Number(described) !== pid || !addon.pidfdAlive(pidfd)) {
    closeSync(pidfd);
    throw gone();
  }
  return pidfd;
}

/** Without a pidfd: the folder's process must keep its start time and the ids of the credentials. */
function holdProcfd(folder: ProcFolder, uid: number, gid: number): () => boolean {
  const started = procStat(folder)?.startTime;
  const alive = (): boolean => {
    const now = procStat(folder);
    const ids = procIds(folder);
    return now !== undefined && now.state !== 'Z' && now.startTime === started && ids?.uid === uid && ids.gid === gid;
  };
  if (started === undefined || !alive()) throw gone();
  return alive;
}

function pollExit(alive: () => boolean, socket: Socket): () => void {
  const timer = setInterval(() => {
    if (!alive()) socket.destroy();
  }, POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function gone(): StepsealError {
  return new StepsealError('PEER_GONE', 'the process that connected has ended or is no longer the same');
}
