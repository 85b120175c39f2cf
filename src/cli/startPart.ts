import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { CODES, type Code } from '../base/codes.ts';
import { StepsealError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { makeFolder } from '../keys/files.ts';

/** A server or an agent that `stepseal start` has started. */
export interface Part {
  /** what it printed when it was ready */
  readonly ready: Reader;
  readonly pid: number;
  /** descriptor 3 of the part, if it was asked for */
  readonly channel: Duplex | undefined;
  /** SIGTERM, and SIGKILL where that takes more than 5 s. */
  stop(): Promise<void>;
  /** Lets it live on after this process. */
  leave(): void;
}

export interface PartOptions {
  /** command of this program, with `--json` */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** where its log goes, appended */
  readonly log: string;
  readonly channel: boolean;
  /** it ends with this process, also when that is killed */
  readonly bound: boolean;
}

const READY_MS = 20_000;
const STOP_MS = 5_000;

/** Starts a part of Stepseal as a process of its own and waits until it is ready. Throws what it could not start for, PART_FAILED. */
export async function startPart({ args, env, log, channel, bound }: PartOptions): Promise<Part> {
  makeFolder(dirname(log));
  const logFd = openSync(log, 'a', 0o600);
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    stdio: [bound ? 'pipe' : 'ignore', 'pipe', logFd, ...(channel ? (['pipe'] as const) : [])],
    env: { ...env },
    // the terminal's Ctrl-C is ours to pass on
    detached: true,
  });
  closeSync(logFd);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  };
  const line = await firstLine(child, ended);
  const ready = line === undefined ? undefined : readyOf(line);
  if (ready === undefined) {
    await stop();
    throw new StepsealError('PART_FAILED', `${args[0]} did not become ready; its log is ${log}`, { expected: `ready within ${READY_MS / 1000} s`, found: line ?? `exit ${child.exitCode}` });
  }
  return {
    ready,
    pid: child.pid!,
    channel: channel ? (child.stdio[3] as Duplex) : undefined,
    stop,
    leave() {
      child.stdout!.destroy();
      (child.stdio[3] as Duplex | undefined)?.destroy();
      child.unref();
    },
  };
}

async function firstLine(child: ChildProcess, ended: Promise<void>): Promise<string | undefined> {
  let text = '';
  const line = new Promise<string>((resolve) => {
    (child.stdout as Readable).on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const end = text.indexOf('\n');
      if (end !== -1) resolve(text.slice(0, end));
    });
  });
  const failed = new Promise<undefined>((resolve) => child.once('error', () => resolve(undefined)));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), READY_MS)));
  const first = await Promise.race([line, ended.then(() => (text === '' ? undefined : text.trim())), failed, late]);
  clearTimeout(timer);
  return first;
}

/** `{"ready": …}`; `{"error": …}` is thrown as what it says. */
function readyOf(line: string): Reader {
  const message = new Reader(parseJson(line), 'part');
  const error = message.at('error');
  if (!error.present) return message.at('ready');
  const code = error.at('code').string();
  const optional = (name: 'expected' | 'found') => error.at(name).optional((reader) => ({ [name]: reader.string() }));
  throw new StepsealError(Object.hasOwn(CODES, code) ? (code as Code) : 'INTERNAL', error.at('message').string(), { ...optional('expected'), ...optional('found') });
}
