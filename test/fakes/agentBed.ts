import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { canonicalJson } from '../../src/base/json.ts';
import { systemClock, systemRng } from '../../src/keys/system.ts';
import { connectUnix, type Connection, type Stub } from '../../src/rpc/client.ts';
import { Admin } from '../../src/rpc/gen/stepseal/admin_pb.js';
import { type EndStepResponse, Runner, type StartStepResponse } from '../../src/rpc/gen/stepseal/runner_pb.js';
import { connectSocket } from '../../src/rpc/socketClient.ts';
import { startServer, type RunningServer } from '../../src/server/serve.ts';
import { firstChild, ISOLATE } from '../unit/attestor/callers.ts';

const quiet = { info: () => undefined, warn: () => undefined, error: (fields: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`) };
const SEAL_CALLER = join(import.meta.dirname, 'sealCallerProcess.ts');

export interface BedStep {
  readonly attemptId: string;
  readonly started: StartStepResponse;
  readonly folder: string;
  readonly child: ChildProcess;
  /** what a process of the step got from the seal socket */
  call(method: string, path: string, body?: object): Promise<never>;
  end(exitCode?: number): Promise<EndStepResponse>;
}

export interface AgentBed {
  readonly folder: string;
  readonly server: RunningServer;
  readonly agent: ChildProcess;
  readonly runner: Stub<typeof Runner>;
  readonly admin: Stub<typeof Admin>;
  readonly connection: Connection;
  readonly sealSocket: string;
  readonly workloadSocket: string;
  readonly trustedRoot: Uint8Array;
  /** TaskRun UIDs by pipeline task */
  run(yaml: string, isolated: boolean): Promise<{ readonly runUid: string; readonly taskRunUid: string }>;
  /** a step whose first process waits, its folders below one of its own per TaskRun */
  step(of: { readonly runUid: string; readonly taskRunUid: string }, step: string, isolated: boolean): Promise<BedStep>;
  /** the same call from a program of the runner */
  call(method: string, path: string, body?: object): Promise<never>;
  /** the same call from a process that does not descend from this one, as the person's programs */
  person(method: string, path: string, body?: object): Promise<never>;
  close(): Promise<void>;
}

/** A real server in this process and a real agent beside it; this process is the runner. */
export async function agentBed(): Promise<AgentBed> {
  const folder = mkdtempSync(join(tmpdir(), 'ss-agent-'));
  const server = await startServer(
    { data: join(folder, 'server'), trustDomain: 'example.org', host: '127.0.0.1', httpPort: 0, grpcPort: 0 },
    { clock: systemClock, rng: systemRng, log: quiet, version: '0' },
  );
  const connection = connectUnix(server.adminSocket);
  const admin = connection.stub(Admin);
  const { spiffeBundle, trustedRoot } = await admin.getTrust({});
  const { token } = await admin.createJoinToken({ ttlSeconds: 60 });
  const data = join(folder, 'agent');
  const settings = { data, trustDomain: 'example.org', port: Number(server.grpcAddress.split(':').at(-1)), trustBundle: Buffer.from(spiffeBundle).toString('base64'), joinToken: token };
  mkdirSync(data, { mode: 0o700 });
  const agent = spawn(process.execPath, [join(import.meta.dirname, 'realAgentProcess.ts'), JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  await new Promise((resolve, reject) => {
    agent.stdout!.once('data', resolve);
    agent.once('exit', reject);
  });
  const { stub: runner } = connectSocket(agent.stdio[3] as Duplex, Runner);
  const children: ChildProcess[] = [];
  let persons = 0;
  const sealSocket = join(data, 'seal.sock');
  const socketOf = (method: string): string => (method === 'gRPC' ? join(data, 'workload.sock') : sealSocket);

  return {
    folder, server, agent, runner, admin, connection, sealSocket, trustedRoot,
    workloadSocket: join(data, 'workload.sock'),
    async run(yaml, isolated) {
      const run = await admin.createRun({ documents: [{ name: 'a.yaml', yaml: Buffer.from(yaml) }], isolation: isolated ? 'isolated' : 'unisolated' });
      return { runUid: run.runUid, taskRunUid: run.taskRuns[0]!.uid };
    },
    async step({ runUid, taskRunUid }, step, isolated) {
      const base = join(folder, taskRunUid);
      for (const name of ['results', 'artifacts', step, `${step}/results`]) mkdirSync(join(base, name), { recursive: true });
      const control = join(base, step, 'control');
      writeFileSync(control, '');
      // runs what is appended to its control file, one shell line at a time: a step's own processes
      const shell = ['sh', '-c', `tail -f "$0" 2>/dev/null | while read -r line; do eval "$line"; done`, control];
      const [file, ...args] = [...(isolated ? ISOLATE : []), ...shell];
      const child = spawn(file!, args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
      children.push(child);
      const pid = isolated ? await firstChild(child.pid!) : child.pid!;
      const started = await runner.startStep({
        runUid, taskRunUid, step, attempt: 1, pid, isolated, image: 'none', rendered: Buffer.from(canonicalJson({ step })),
        paths: {
          results: join(base, 'results'), stepResults: join(base, step, 'results'), stepArtifacts: join(base, step, 'provenance.json'),
          taskArtifacts: join(base, 'artifacts', 'provenance.json'), workingDir: base, workspaces: {},
        },
      });
      let calls = 0;
      return {
        attemptId: started.attemptId, started, folder: base, child,
        async call(method, path, body) {
          const answer = join(base, step, `answer-${++calls}`);
          const quoted = [process.execPath, SEAL_CALLER, socketOf(method), method, path, ...(body === undefined ? [] : [JSON.stringify(body)])].map((word) => `'${word}'`).join(' ');
          writeFileSync(control, `${quoted} > ${answer}.part && mv ${answer}.part ${answer} &\n`, { flag: 'a' });
          return JSON.parse(await appearance(answer)) as never;
        },
        end: (exitCode = 0) => runner.endStep({ attemptId: started.attemptId, exitCode, reason: exitCode === 0 ? '' : 'error', startedMs: BigInt(Date.now() - 1000), finishedMs: BigInt(Date.now()) }),
      };
    },
    call: (method, path, body) => new Promise((resolve, reject) => {
      execFile(process.execPath, [SEAL_CALLER, socketOf(method), method, path, ...(body === undefined ? [] : [JSON.stringify(body)])], (error, output) => {
        if (error === null) resolve(JSON.parse(output) as never);
        else reject(new Error('the caller failed', { cause: error }));
      });
    }),
    async person(method, path, body) {
      const answer = join(folder, `person-${++persons}`);
      const words = [process.execPath, SEAL_CALLER, socketOf(method), method, path, ...(body === undefined ? [] : [JSON.stringify(body)])].map((word) => `'${word}'`).join(' ');
      // its parent has ended before it calls
      spawn('sh', ['-c', `(sleep 0.1; ${words} > ${answer}.part && mv ${answer}.part ${answer}) &`], { stdio: 'ignore', detached: true });
      return JSON.parse(await appearance(answer)) as never;
    },
    async close() {
      for (const child of children) if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL');
      const exited = new Promise((resolve) => agent.once('exit', resolve));
      if (agent.exitCode === null && agent.signalCode === null) {
        agent.kill('SIGTERM');
        await exited;
      }
      connection.close();
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

async function appearance(path: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  for (let i = 0; i < 1000; i++) {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  throw new Error(`${path} did not appear`);
}
