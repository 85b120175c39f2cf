import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { cpuMs, percentile, rss } from './measure.ts';
import type { Row } from './row.ts';

const ROUNDS = 3;
const SEALS = 20;
const ROOT = join(import.meta.dirname, '../..');
const IDLE_MS = 5000;

interface Started {
  /** seconds */
  readonly wall: number;
  readonly ready: number;
  /** of the steps' own programs, by the agent's account of each step */
  readonly steps: number;
  /** ms from the runner's word that the run is over to the signed provenance */
  readonly provenance: number;
  readonly pids: readonly number[];
}

/**
 * `npm start -- --keep` in this checkout, installed, as a user has it: its own example, ports free. Stepseal's own work is
 * all of the wall time in which no program of a step runs, npm's own start included. Memory and `stepseal seal` are of
 * what it leaves running.
 */
export async function bench(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ss-bench-'));
  const state = join(folder, 'state');
  const runs: Started[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rmSync(state, { recursive: true, force: true });
    runs.push(await start(folder, state));
    if (round < ROUNDS - 1) stop(runs.at(-1)!.pids);
    await wait(1000);
  }
  const [serverPid, agentPid] = runs.at(-1)!.pids as [number, number];
  const memory = { server: rss(serverPid), agent: rss(agentPid) };
  const before = cpuMs(serverPid) + cpuMs(agentPid);
  await wait(IDLE_MS);
  const idle = ((cpuMs(serverPid) + cpuMs(agentPid) - before) / IDLE_MS) * 100;
  const bareNode = await idleNode();
  const floorWall = await wallOf(process.execPath, ['-e', '0'], folder, {});
  writeFileSync(join(folder, 'a.txt'), 'a');
  const sealWall = await wallOf(join(ROOT, 'stepseal'), ['seal', 'a.txt', '--out', folder], folder, { STEPSEAL_SEAL_SOCKET: join(state, 'agent', 'seal.sock') });
  stop([serverPid, agentPid]);
  await wait(1000);
  rmSync(folder, { recursive: true });

  const middle = (values: readonly number[]): number => percentile(values, 0.5);
  const target = (value: number, limit: number) => ({ value, target: `≤ ${limit}`, ok: value <= limit });
  const empty = { floor: 'node, idle', floorValue: bareNode };
  const bare = { floor: 'node -e 0', floorValue: floorWall };
  return [
    { what: `npm start, wall, p50 of ${ROUNDS}`, unit: 's', ...target(middle(runs.map(({ wall }) => wall)), 30), floor: "the steps' own programs", floorValue: middle(runs.map(({ steps }) => steps)) },
    { what: "of it not the steps' own programs", unit: 's', ...target(middle(runs.map(({ wall, steps }) => wall - steps)), 3) },
    { what: 'server and agent ready, keys made', unit: 's', ...target(middle(runs.map(({ ready }) => ready)), 3), floor: 'node -e 0, twice', floorValue: (2 * floorWall) / 1000 },
    { what: 'memory of the server after npm start', unit: 'MiB', ...target(memory.server, 150), ...empty },
    { what: 'memory of the agent after npm start', unit: 'MiB', ...target(memory.agent, 120), ...empty },
    { what: 'CPU of both while nothing happens', unit: '% of a core', ...target(idle, 1) },
    { what: 'provenance of that run: checked, signed, logged', unit: 'ms', ...target(middle(runs.map(({ provenance }) => provenance)), 80) },
    { what: 'stepseal seal, process start to sealed, p50', unit: 'ms', ...target(sealWall, 150), ...bare },
  ];
}

async function start(folder: string, state: string): Promise<Started> {
  const began = performance.now();
  const child = spawn('npm', ['start', '--', '--keep', '--state', state, '--out', join(folder, 'out'), '--http-port', '0', '--grpc-port', '0'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [code] = (await once(child, 'close')) as [number];
  const wall = (performance.now() - began) / 1000;
  if (code !== 0) throw new Error(`npm start ended with ${code}: ${said}`);
  const number = (pattern: RegExp): number[] => [...said.matchAll(pattern)].map(([, text]) => Number(text));
  return {
    wall,
    ready: number(/ are ready in ([\d.]+) s/g)[0]!,
    steps: number(/^ +ended .* after ([\d.]+) s/gm).reduce((sum, seconds) => sum + seconds, 0),
    provenance: number(/^Provenance .* in ([\d.]+) ms/gm)[0]!,
    pids: /`kill ([\d ]+)`/.exec(said)![1]!.split(' ').map(Number),
  };
}

function stop(pids: readonly number[]): void {
  for (const pid of pids.toReversed()) process.kill(pid, 'SIGTERM');
}

async function idleNode(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000); console.log(1)'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const value = rss(child.pid!);
  child.kill();
  return value;
}

async function wallOf(file: string, args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < SEALS; i++) {
    const began = performance.now();
    const [code] = (await once(spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: 'ignore' }), 'exit')) as [number];
    times.push(performance.now() - began);
    if (code !== 0) throw new Error(`${file} ended with ${code}`);
  }
  return percentile(times, 0.5);
}
