import type { Io } from '../../src/cli/command.ts';

/** A process for commands: what they print is kept. */
export function fakeIo(over: Partial<Io> = {}): Io & { readonly stdout: () => string; readonly stderr: () => string } {
  const out: string[] = [];
  const err: string[] = [];
  return {
    env: {},
    cwd: '/nowhere',
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    colour: false,
    terminal: false,
    stopSignal: () => new AbortController().signal,
    inputEnd: () => new Promise(() => undefined),
    ...over,
    stdout: () => out.join(''),
    stderr: () => err.join(''),
  };
}
