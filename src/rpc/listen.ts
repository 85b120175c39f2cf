import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type AddressInfo, type Server } from 'node:net';
import { StepsealError } from '../base/errors.ts';

/** sun_path holds 108 bytes with its final NUL: unix(7). */
export const SOCKET_PATH_LIMIT = 107;

/** For a start that would make things before it listens. `shorter`: what to choose instead. Throws SOCKET_PATH_TOO_LONG. */
export function assertSocketPath(path: string, shorter = 'data folder'): void {
  const length = Buffer.byteLength(path);
  if (length <= SOCKET_PATH_LIMIT) return;
  throw new StepsealError('SOCKET_PATH_TOO_LONG', `the path of a socket may have ${SOCKET_PATH_LIMIT} bytes; choose a shorter ${shorter}`, {
    expected: `at most ${SOCKET_PATH_LIMIT} bytes`, found: `${length} bytes: ${path}`,
  });
}

/**
 * Listens on a Unix socket file with the given mode (0o600 or 0o666). A socket file that nobody listens on is replaced.
 * Throws SOCKET_PATH_TOO_LONG, SOCKET_IN_USE, SOCKET_PATH_TAKEN (there is a file that is no socket), SOCKET_FAILED.
 */
export async function listenUnix(server: Server, path: string, mode: number): Promise<void> {
  assertSocketPath(path);
  await removeStale(path);
  // the file is created by bind(2), within listen: nobody else may connect before its mode is set
  const before = process.umask(0o177);
  try {
    await started(server, () => server.listen(path), () => process.umask(before));
  } catch (cause) {
    throw new StepsealError('SOCKET_FAILED', `cannot listen on ${path}: ${(cause as Error).message}`, { cause });
  }
  chmodSync(path, mode);
}

/** Listens on host and port (0: any free one); returns the port. Throws PORT_TAKEN, ADDRESS_UNUSABLE. */
export async function listenTcp(server: Server, host: string, port: number): Promise<number> {
  try {
    await started(server, () => server.listen({ host, port }), () => undefined);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      throw new StepsealError('PORT_TAKEN', `port ${port} of ${host} is in use by another program`, { expected: 'a free port', found: `${port}`, cause });
    }
    throw new StepsealError('ADDRESS_UNUSABLE', `cannot listen on ${host}, port ${port}: ${(cause as Error).message}`, { cause });
  }
  return (server.address() as AddressInfo).port;
}

function started(server: Server, start: () => void, bound: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    try {
      start();
    } finally {
      bound();
    }
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function removeStale(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) throw new StepsealError('SOCKET_PATH_TAKEN', `${path} exists and is not a socket; it is left alone`);
  if (await answers(path)) throw new StepsealError('SOCKET_IN_USE', `another process listens on ${path}`);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
}
