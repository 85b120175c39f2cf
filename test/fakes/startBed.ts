import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
/** as ./stepseal has it */
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/stepseal');
/** Nothing here takes so long; a hanging run must not hang the tests. */
const LIMIT_MS = 60_000;

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface StartBed {
  readonly folder: string;
  /** the server's and agent's folders of every `start` */
  readonly state: string;
  readonly path: (name: string) => string;
  /** writes a file below the folder; its path */
  readonly file: (name: string, content: string) => string;
  /** `stepseal` in this folder; `onOutput` is told all of stdout so far */
  readonly run: (args: readonly string[], onOutput?: (text: string, child: ChildProcess) => void) => Promise<Ran>;
  /** `stepseal start`, where nothing else is asked for with the bed's state, its output in `out`, on any free ports */
  readonly start: (args: readonly string[], onOutput?: (text: string, child: ChildProcess) => void) => Promise<Ran>;
  /** command lines of processes that have the text in it, the calling one's aside */
  readonly processes: (text?: string) => string[];
  readonly remove: () => void;
}

/** A folder to start the real program in, with a path short enough for sockets; `through`: a command that starts it. */
export function startBed(through: readonly string[] = []): StartBed {
  const folder = mkdtempSync(join(tmpdir(), 'ss-k-'));
  const path = (name: string): string => join(folder, name);
  const state = path('s');
  const run: StartBed['run'] = (args, onOutput) => runMain(folder, [...through, process.execPath, MAIN, ...args], onOutput);
  return {
    folder, state, path, run,
    file(name, content) {
      writeFileSync(path(name), content);
      return path(name);
    },
    start(args, onOutput) {
      const defaults = { '--state': state, '--out': path('out'), '--http-port': '0', '--grpc-port': '0' };
      return run(['start', ...Object.entries(defaults).flatMap((pair) => (args.includes(pair[0]) ? [] : pair)), ...args], onOutput);
    },
    processes: (text = folder) => processes(text),
    remove() {
      for (const line of processes(folder)) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function runMain(cwd: string, [file, ...args]: readonly string[], onOutput: (text: string, child: ChildProcess) => void = () => undefined): Promise<Ran> {
  const child = spawn(file!, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: CACHE } });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.out += text;
    onOutput(said.out, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, ...said });
    });
  });
}

function processes(text: string): string[] {
  const others = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid);
  return others.flatMap((pid) => {
    const line = `${pid} ${commandLine(pid)}`;
    return line.includes(text) ? [line] : [];
  });
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    // it has ended meanwhile
    return '';
  }
}
