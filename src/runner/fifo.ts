import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A pipe with a name. Node's own pipes are sockets, which `tee /dev/stderr` and the like cannot open. */
export interface Fifo {
  readonly reader: Socket;
  /** for the child's stdio; to be closed here after the spawn */
  readonly writeFd: number;
}

export async function openFifos(paths: readonly string[]): Promise<Fifo[]> {
  await run('mkfifo', ['-m', '600', '--', ...paths]);
  return paths.map((path) => {
    const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writeFd = openSync(path, constants.O_WRONLY);
    rmSync(path);
    return { reader: new Socket({ fd: readFd, readable: true, writable: false }), writeFd };
  });
}

export function closeWriters(fifos: readonly Fifo[]): void {
  for (const { writeFd } of fifos) closeSync(writeFd);
}
