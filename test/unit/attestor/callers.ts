// Sockets and processes for the tests of this folder.
import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CALLER = join(import.meta.dirname, '../../fakes/callerProcess.ts');

export interface Stage {
  readonly folder: string;
  readonly path: string;
  /** the next connection */
  accept(): Promise<Socket>;
  /** a process that connects; killed at the end */
  caller(mode?: string, options?: SpawnOptions & { readonly through?: readonly string[] }): ChildProcess;
  run(file: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  end(): void;
}

export async function stage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'stepseal-attestor-'));
  const path = join(folder, 's');
  const arrived: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  const sockets: Socket[] = [];
  const children: ChildProcess[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    const next = waiting.shift();
    if (next === undefined) arrived.push(socket);
    else next(socket);
  }).listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  // for callers of other users
  chmodSync(folder, 0o755);
  chmodSync(path, 0o666);
  const run = (file: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true, ...options });
    children.push(child);
    return child;
  };
  return {
    folder, path, run,
    accept: () => (arrived.length > 0 ? Promise.resolve(arrived.shift()!) : new Promise((resolve) => waiting.push(resolve))),
    caller(mode, { through = [], ...options } = {}) {
      const [file, ...args] = [...through, process.execPath, CALLER, path, ...(mode === undefined ? [] : [mode])];
      return run(file!, args, options);
    },
    end() {
      // each with its group: what it started goes with it
      for (const child of children) if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL');
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A user who is neither root nor this one, where a test may become it and it may run this Node. */
export const OTHER = { uid: 12345, gid: 23456 };
export const othersWork = process.getuid?.() === 0 && spawnSync(process.execPath, ['--version'], OTHER).status === 0;

/** Whether this machine lets a test make namespaces. */
export const namespacesWork = spawnSync('unshare', ['--user', '--map-root-user', '--pid', '--fork', 'true']).status === 0;
export const ISOLATE = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child'];

/** The first child of a process, as soon as it has one. */
export async function firstChild(pid: number): Promise<number> {
  for (let i = 0; i < 500; i++) {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    if (child !== undefined) return Number(child);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`${pid} has no child`);
}

export const closed = (socket: Socket): Promise<void> => new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve())));
