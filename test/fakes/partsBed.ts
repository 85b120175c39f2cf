import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex, Readable } from 'node:stream';
import { canonicalJson } from '../../src/base/json.ts';
import { connectUnix, type Stub } from '../../src/rpc/client.ts';
import { Admin } from '../../src/rpc/gen/stepseal/admin_pb.js';
import { type EndStepResponse, Runner, type StartStepResponse } from '../../src/rpc/gen/stepseal/runner_pb.js';
import { connectSocket } from '../../src/rpc/socketClient.ts';
import { probeIsolation } from '../../src/runner/isolation.ts';
import { firstChild, ISOLATE } from '../unit/attestor/callers.ts';
import type { BenchAnswer, BenchOrder } from './benchCallerProcess.ts';

const ROOT = join(import.meta.dirname, '../..');
const CALLER = join(import.meta.dirname, 'benchCallerProcess.ts');

/** A process that does what it is told, benchCallerProcess.ts. */
export interface BedCaller {
  do(order: BenchOrder): Promise<BenchAnswer>;
  end(): void;
}

export interface BedStep extends BedCaller {
  readonly started: StartStepResponse;
  /** ms that the runner waited for the identity */
  readonly startMs: number;
  readonly folder: string;
  finish(): Promise<EndStepResponse>;
}

export interface PartsBed {
  readonly folder: string;
  readonly isolated: boolean;
  readonly server: { readonly pid: number };
  readonly agent: { readonly pid: number };
  readonly admin: Stub<typeof Admin>;
  readonly workloadSocket: string;
  readonly sealSocket: string;
  createRun(yaml: string): Promise<{ readonly runUid: string; readonly taskRunUid: string }>;
  /** a process of a step, which waits; then the step is announced to the agent. `ready` runs in between. */
  step(run: { readonly runUid: string; readonly taskRunUid: string }, step: string, attempt: number, ready?: (caller: BedCaller) => Promise<unknown>): Promise<BedStep>;
  /** a process of no step, started by `program`, which does not descend from this one */
  person(program: string): Promise<BedCaller>;
  close(): Promise<void>;
}

/** The real server and the real agent as processes of their own, started as `stepseal start` does; this process is the runner. */
export async function partsBed(): Promise<PartsBed> {
  const folder = mkdtempSync(join(tmpdir(), 'ss-bed-'));
  const data = join(folder, 'agent');
  const server = await startPart(['server', '--json', '--data', join(folder, 'server'), '--http-port', '0', '--grpc-port', '0', '--log-level', 'error'], {});
  const { adminSocket, grpcAddress } = server.ready as { adminSocket: string; grpcAddress: string };
  const connection = connectUnix(adminSocket);
  const admin = connection.stub(Admin);
  const bundle = join(folder, 'bundle.json');
  writeFileSync(bundle, (await admin.getTrust({})).spiffeBundle);
  mkdirSync(data, { mode: 0o700 });
  const agent = await startPart(['agent', '--json', '--data', data, '--server', grpcAddress, '--trust-bundle', bundle, '--runner-fd', '3', '--log-level', 'error'], {
    STEPSEAL_JOIN_TOKEN: (await admin.createJoinToken({})).token,
  });
  const channel = connectSocket(agent.child.stdio[3] as Duplex, Runner);
  const { isolated } = await probeIsolation(folder);
  const callers = await callerSocket(join(folder, 'control.sock'));
  const steps = new Set<ChildProcess>();
  let names = 0;

  return {
    folder, isolated, admin,
    server: { pid: server.child.pid! },
    agent: { pid: agent.child.pid! },
    workloadSocket: join(data, 'workload.sock'),
    sealSocket: join(data, 'seal.sock'),
    async createRun(yaml) {
      const run = await admin.createRun({ documents: [{ name: 'a.yaml', yaml: Buffer.from(yaml) }], isolation: isolated ? 'isolated' : 'unisolated' });
      return { runUid: run.runUid, taskRunUid: run.taskRuns[0]!.uid };
    },
    async step({ runUid, taskRunUid }, step, attempt, ready) {
      const name = `step ${++names}`;
      const base = join(folder, `${attempt}`);
      for (const path of ['results', 'artifacts', 'step/results']) mkdirSync(join(base, path), { recursive: true });
      const [file, ...args] = [...(isolated ? ISOLATE : []), process.execPath, CALLER, callers.path, name];
      const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
      steps.add(child);
      const caller = await callers.named(name);
      await ready?.(caller);
      const pid = isolated ? await firstChild(child.pid!) : child.pid!;
      const began = performance.now();
      const started = await channel.stub.startStep({
        runUid, taskRunUid, step, attempt, pid, isolated, image: 'none', rendered: Buffer.from(canonicalJson({ step })),
        paths: {
          results: join(base, 'results'), stepResults: join(base, 'step/results'), stepArtifacts: join(base, 'step/provenance.json'),
          taskArtifacts: join(base, 'artifacts/provenance.json'), workingDir: base, workspaces: {},
        },
      });
      return {
        ...caller, started, startMs: performance.now() - began, folder: base,
        async finish() {
          const now = BigInt(Date.now());
          const ended = await channel.stub.endStep({ attemptId: started.attemptId, exitCode: 0, reason: '', startedMs: now - 1n, finishedMs: now });
          process.kill(-child.pid!, 'SIGKILL');
          steps.delete(child);
          return ended;
        },
      };
    },
    person(program) {
      const name = `person ${++names}`;
      // its parent ends at once
      spawn('sh', ['-c', '"$@" &', 'sh', program, CALLER, callers.path, name], { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
      return callers.named(name);
    },
    async close() {
      for (const child of steps) process.kill(-child.pid!, 'SIGKILL');
      channel.close();
      connection.close();
      for (const { child } of [agent, server]) {
        const gone = once(child, 'close');
        if (child.exitCode === null) child.kill('SIGTERM');
        await gone;
      }
      callers.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function startPart(args: readonly string[], env: Readonly<Record<string, string>>): Promise<{ readonly child: ChildProcess; readonly ready: object }> {
  const child = spawn(process.execPath, [join(ROOT, 'src/cli/main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'], detached: true,
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/stepseal'), ...env },
  });
  for await (const line of createInterface({ input: child.stdout as Readable })) {
    const { ready } = JSON.parse(line) as { ready?: object };
    if (ready !== undefined) return { child, ready };
    throw new Error(line);
  }
  throw new Error(`${args[0]} ended with ${child.exitCode}`);
}

/** Where callers report; each waits for its orders there. */
async function callerSocket(path: string): Promise<{ readonly path: string; named(name: string): Promise<BedCaller>; close(): void }> {
  const waiting = new Map<string, PromiseWithResolvers<BedCaller>>();
  const of = (name: string): PromiseWithResolvers<BedCaller> => waiting.get(name) ?? waiting.set(name, Promise.withResolvers()).get(name)!;
  const listener = createServer((socket) => void admit(socket));
  const admit = async (socket: Socket): Promise<void> => {
    socket.on('error', () => undefined);
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    const next = async <T>(): Promise<T> => JSON.parse((await lines.next()).value as string) as T;
    const { name } = await next<{ name: string }>();
    of(name).resolve({
      async do(order) {
        socket.write(`${JSON.stringify(order)}\n`);
        const answer = await next<BenchAnswer | { error: string }>();
        if ('error' in answer) throw new Error(`${name}: ${answer.error}`);
        return answer;
      },
      end: () => socket.destroy(),
    });
  };
  await new Promise<void>((ready) => listener.listen(path, ready));
  return { path, named: (name) => of(name).promise, close: () => listener.close() };
}
