import type { Io } from './command.ts';

/** The real process as commands see it. */
export function processIo(): Io {
  // `stepseal … | head` closes the pipe: no trace, the usual exit code of a broken pipe
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 141 : 1));
  const terminal = process.stdout.isTTY;
  const { NO_COLOR, TERM } = process.env;
  return {
    env: process.env,
    cwd: process.cwd(),
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    terminal,
    colour: terminal && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb',
    stopSignal,
    inputEnd,
  };
}

let stop: AbortController | undefined;

function stopSignal(): AbortSignal {
  if (stop === undefined) {
    const controller = new AbortController();
    stop = controller;
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort(name));
  }
  return stop.signal;
}

function inputEnd(): Promise<void> {
  const { stdin } = process;
  return new Promise((resolve) => {
    stdin.once('end', resolve).once('error', () => resolve()).resume();
    // who waits for this has other things to do, and ends when those have
    if ('unref' in stdin) stdin.unref();
  });
}
