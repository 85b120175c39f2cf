import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { StepsealError } from '../base/errors.ts';
import { descendants, killUntilGone } from './descent.ts';
import { closeWriters, openFifos } from './fifo.ts';
import { covered } from './inherited.ts';
import { lineSplitter } from './lines.ts';
import { quote, SUPERVISE, TELL_PID } from './shell.ts';

export interface StepCommand {
  readonly argv: readonly string[];
  /** all of it */
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  /** the working directory is made where it is missing */
  readonly makeWorkingDir: boolean;
  /** shell commands that build and enter the step's root; undefined where steps are not isolated */
  readonly root: string | undefined;
  /** an empty folder for this process' pipes */
  readonly folder: string;
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void;
}

/** A step's first process, waiting to be let go. */
export interface StepProcess {
  /** pid 1 of the step's pid namespace, or the supervisor, as this machine counts */
  readonly pid: number;
  /** Starts the step's own program. Resolves when it has ended and nothing of the step runs but the first process. */
  run(): Promise<{ readonly exitCode: number; readonly leftovers: number }>;
  /** Kills everything of the step but its first process; `run` then resolves. */
  interrupt(): void;
  /** Ends all that is left. Resolves when it is gone and its output has been read. */
  close(): Promise<void>;
}

const SETUP_TIMEOUT = 10_000;
const LAST_OUTPUT = 2_000;
const MAX_SAID = 4096;
const UTILITIES = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Throws RUNNER_ISOLATION with what the commands said, TASK_LIMIT. */
export async function startStep(command: StepCommand): Promise<StepProcess> {
  const isolated = command.root !== undefined;
  const { child, said, silent, flush } = await launch(command, isolated);
  const [input, output] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const words = wordReader(output);
  // the other end may be gone at any moment; the words, or their end, tell
  input.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  const first = await Promise.race([words.next(), ended, timeout(SETUP_TIMEOUT)]);
  const pid = Number(/^pid (\d+)$/.exec(first ?? '')?.[1]);
  if (!Number.isSafeInteger(pid)) {
    child.kill('SIGKILL');
    await ended;
    throw new StepsealError('RUNNER_ISOLATION', `a step's first process did not come up: ${said().trim() || 'it said nothing'}`);
  }
  const killRest = (): number => killUntilGone(() => descendants(pid, baseline));
  const baseline = isolated ? new Set<number>() : new Set(descendants(process.pid, new Set()));
  return {
    pid,
    async run() {
      input.write('go\n');
      const match = /^exit (\d+) (-?\d+)$/.exec((await words.next()) ?? '');
      // what was written before lies in the pipes, and is read in this round of the event loop
      await setImmediate();
      flush();
      if (!match) return { exitCode: 137, leftovers: 0 };
      return { exitCode: Number(match[1]), leftovers: isolated ? Math.max(0, Number(match[2])) : killRest() };
    },
    interrupt() {
      if (!isolated) killRest();
      else if (alive()) signal(pid, 'SIGTERM');
    },
    async close() {
      if (!isolated) killRest();
      if (alive()) signal(pid, 'SIGKILL');
      input.end();
      await ended;
      // a process of another user that could not be killed may hold the pipes
      await Promise.race([silent, timeout(LAST_OUTPUT)]);
    },
  };
}

async function launch(command: StepCommand, isolated: boolean): Promise<{ child: ChildProcess; said: () => string; silent: Promise<unknown>; flush: () => void }> {
  const fifos = await openFifos([join(command.folder, 'stdout'), join(command.folder, 'stderr')]);
  const splitters = (['stdout', 'stderr'] as const).map((stream) => lineSplitter((line) => command.onLine(stream, line)));
  splitters.forEach((lines, i) => fifos[i]!.reader.on('data', (bytes: Buffer) => lines.push(bytes)).on('end', lines.end).on('error', lines.end));
  const nothing = openSync('/dev/null', 'r');
  const child = spawned(command, isolated, [fifos[0]!.writeFd, fifos[1]!.writeFd, nothing]);
  closeWriters(fifos);
  closeSync(nothing);
  if (child === undefined) {
    for (const { reader } of fifos) reader.destroy();
    throw new StepsealError('TASK_LIMIT', 'command, arguments and environment of the step are larger than the system takes', { expected: 'at most 128 KiB each, and 2 MiB together' });
  }
  let said = '';
  child.stderr!.on('data', (bytes: Buffer) => (said = (said + bytes.toString('utf8')).slice(-MAX_SAID)));
  // spawn errors come with 'close' too
  child.on('error', (error) => (said += error.message));
  const silent = Promise.all(fifos.map(({ reader }) => new Promise((resolve) => reader.once('close', resolve))));
  return { child, said: () => said, silent, flush: () => splitters.forEach((lines) => lines.end()) };
}

/** Undefined where the arguments are too large: execve(2). */
function spawned(command: StepCommand, isolated: boolean, [stdout, stderr, nothing]: readonly [number, number, number]): ChildProcess | undefined {
  try {
    return spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...arguments_(command, isolated)], {
      // what unshare and mount have to say is not the step's
      stdio: ['ignore', stdout, 'pipe', 'pipe', 'pipe', stderr, ...covered(6, nothing)],
      env: { PATH: UTILITIES },
      cwd: '/',
      // a session of its own: the terminal's Ctrl-C is the runner's to pass on
      detached: true,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'E2BIG') return undefined;
    throw error;
  }
}

function arguments_(command: StepCommand, isolated: boolean): string[] {
  const variables = [`isolated=${isolated ? 1 : ''}`, `dir=${quote(command.workingDir)}`, `make=${command.makeWorkingDir ? 1 : ''}`];
  const script = [TELL_PID, ...variables, ...(command.root === undefined ? [] : ['set -e', command.root, 'set +e']), 'echo "pid $pid" >&4', SUPERVISE].join('\n');
  const shell = ['sh', '-c', script, 'stepseal-step'];
  if (!isolated) return [...shell, 'setpriv', '--pdeathsig', 'KILL', '--no-new-privs', '--', ...clean(command)];
  const namespaces = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child', '--mount', '--ipc', '--'];
  return [...namespaces, ...shell, ...withoutPrivileges(), ...clean(command)];
}

/** The step's program with its environment alone; sh ignores INT and QUIT in what it starts in the background. */
function clean({ env, argv }: StepCommand): string[] {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  // env takes a program's name with = in it for a variable
  const program = argv[0]!.includes('=') ? ['/bin/sh', '-c', 'exec "$@"', 'sh', ...argv] : argv;
  return ['env', '-i', '--default-signal=INT,QUIT', '--', ...variables, ...program];
}

/** The operator's own uid again, no capability in any set, and none to be had by exec: mounts cannot be undone. */
function withoutPrivileges(): string[] {
  const [uid, gid] = [process.getuid!(), process.getgid!()];
  const drop = ['setpriv', '--ambient-caps=-all', '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--'];
  // inside, uid 0 stands for the operator: where that is root, it is right already
  return uid === 0 ? drop : ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--keep-caps', '--', ...drop];
}

function wordReader(output: Readable): { next(): Promise<string | undefined> } {
  const lines: string[] = [];
  const waiting: ((line: string | undefined) => void)[] = [];
  let over = false;
  const splitter = lineSplitter((line) => {
    const waiter = waiting.shift();
    if (waiter) waiter(line);
    else lines.push(line);
  });
  const finish = (): void => {
    over = true;
    for (const waiter of waiting.splice(0)) waiter(undefined);
  };
  output.on('data', (bytes: Buffer) => splitter.push(bytes)).on('end', finish).on('error', finish).on('close', finish);
  return {
    next: () => {
      const line = lines.shift();
      if (line !== undefined || over) return Promise.resolve(line);
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}

function timeout(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref());
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // ESRCH: it is gone, which is what was wanted
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
