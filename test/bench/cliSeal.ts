import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fakeSealSocket } from '../fakes/sealSocket.ts';
import type { Row } from './row.ts';

const COUNT = 20;
const TARGET = 150;
const LAUNCHER = join(import.meta.dirname, '../../stepseal');

/** Wall time of `./stepseal seal FILE` from spawn to exit, the agent's answer taking no time; median. The floor is Node doing nothing. */
export async function bench(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'stepseal-bench-'));
  writeFileSync(join(folder, 'a.txt'), 'a');
  const socket = await fakeSealSocket(join(folder, 'seal.sock'), () => ({
    body: { spiffeId: 'spiffe://example.org/a', elapsedUs: '1', items: [{ name: 'a.txt', sha256: '0'.repeat(64), bundle: {}, logIndex: '0' }] },
  }));
  const env = { ...process.env, STEPSEAL_SEAL_SOCKET: join(folder, 'seal.sock') };
  const wall = (file: string, ...args: string[]) => median(async () => {
    const child = spawn(file, args, { cwd: folder, env, stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number];
    if (code !== 0) throw new Error(`${file} ended with ${code}`);
  });
  const floor = await wall(process.execPath, '-e', '0');
  const value = await wall(LAUNCHER, 'seal', 'a.txt', '--out', folder);
  await socket.close();
  rmSync(folder, { recursive: true });
  return [{ what: 'stepseal seal, the program alone, p50', unit: 'ms', value, floor: 'node -e 0', floorValue: floor, target: `≤ ${TARGET}`, ok: value <= TARGET }];
}

async function median(once: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < COUNT + 2; i++) {
    const began = performance.now();
    await once();
    if (i >= 2) times.push(performance.now() - began);
  }
  return Math.round(times.sort((a, b) => a - b)[COUNT / 2]! * 10) / 10;
}
