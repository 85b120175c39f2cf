import { spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerFile, peerMissing, type Peer } from './peers/table.ts';

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Prints why the tests with a peer are skipped, once a file; the answer is for `describe.skipIf`. */
export function without(...peers: readonly Peer[]): boolean {
  const reasons = peers.flatMap((name) => peerMissing(name) ?? []);
  for (const reason of reasons) console.log(reason);
  return reasons.length > 0;
}

/** Runs a peer to its end, with a home of its own and nothing of the environment but PATH. */
export function runPeer(name: Peer, args: readonly string[], options: { readonly input?: string; readonly env?: Record<string, string> } = {}): Ran {
  const home = mkdtempSync(join(tmpdir(), 'stepseal-peer-'));
  try {
    const env = { PATH: process.env['PATH'], HOME: home, ...options.env };
    const { status, stdout, stderr, error } = spawnSync(peerFile(name), args, { env, encoding: 'utf8', input: options.input ?? '', timeout: 60_000, maxBuffer: 64 * 1024 * 1024 });
    if (error !== undefined) throw error;
    return { code: status, out: stdout, err: stderr };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** The same beside this process, which may be the server that the peer talks to. */
export async function runPeerBeside(name: Peer, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const home = mkdtempSync(join(tmpdir(), 'stepseal-peer-'));
  try {
    const child = spawn(peerFile(name), args, { env: { PATH: process.env['PATH'], HOME: home, ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
    const exit = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
    const [code, out, err] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
    return { code, out, err };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** JSON lines of a peer's stdout. */
export function lines<T>(ran: Ran): T[] {
  return ran.out.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}

/** A folder for one test file; `put` writes a file in it and answers its path. */
export function scratch(): { readonly put: (name: string, content: Uint8Array | string) => string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'stepseal-interop-'));
  return {
    put: (name, content) => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
