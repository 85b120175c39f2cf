import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { parseJson } from '../../src/base/json.ts';
import { Reader } from '../../src/base/read.ts';
import { parseRunnerView, type RunnerView } from '../../src/provenance/run.ts';
import { connectUnix } from '../../src/rpc/client.ts';
import { Admin, type CreateRunRequest } from '../../src/rpc/gen/stepseal/admin_pb.js';
import { Runner } from '../../src/rpc/gen/stepseal/runner_pb.js';
import { implement } from '../../src/rpc/handlers.ts';
import { createRpcServer } from '../../src/rpc/server.ts';
import { connectSocket } from '../../src/rpc/socketClient.ts';
import { serveUnix } from '../../src/rpc/unix.ts';
import type { RunnerOptions } from '../../src/runner/context.ts';
import type { RunEvent } from '../../src/runner/events.ts';
import type { Isolation } from '../../src/runner/isolation.ts';
import { executeRun, type RunResult } from '../../src/runner/run.ts';
import { planRun } from '../../src/task/plan.ts';
import { readDocuments } from '../../src/task/readDocuments.ts';
import { readValue, type Values } from '../../src/task/value.ts';

export interface FakeRun {
  readonly yaml: string;
  readonly params?: Values;
  readonly workspaces?: Readonly<Record<string, string>>;
  readonly entry?: string;
  readonly options?: Partial<RunnerOptions>;
}

export interface RunBed {
  /** a folder of this test */
  readonly folder: string;
  /** requests of CreateRun, views of FinishRun */
  readonly created: CreateRunRequest[];
  readonly views: RunnerView[];
  run(request: FakeRun): Promise<{ readonly result: RunResult; readonly events: RunEvent[]; readonly output: string[] }>;
  close(): Promise<void>;
}

/** A server (real gRPC on a Unix socket, plans as the real one, signs nothing) and an agent, a process at the other end of a socket pair. */
export async function startRunBed(isolation: Isolation): Promise<RunBed> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'stepseal-runner-')));
  const created: CreateRunRequest[] = [];
  const views: RunnerView[] = [];
  const server = createRpcServer<undefined>({
    services: [
      implement(Admin, {
        createJoinToken: unused,
        getTrust: unused,
        getStatus: unused,
        createRun(request) {
          created.push(request);
          const params = Object.fromEntries(Object.entries(request.params).map(([name, json]) => [name, readValue(new Reader(parseJson(json), name))]));
          const plan = planRun(readDocuments(request.documents), { params, workspaces: request.workspaces, entry: request.entry });
          return { runUid: randomUUID(), taskRuns: plan.taskRuns.map(({ pipelineTask, task }) => ({ uid: randomUUID(), pipelineTask, task })) };
        },
        finishRun({ view }) {
          views.push(parseRunnerView(view));
          return { provenanceBundle: new TextEncoder().encode('{}'), elapsedUs: 1n };
        },
      }),
    ],
    onFault: (error) => process.stderr.write(`${String(error)}\n`),
  });
  const path = join(folder, 'admin.sock');
  const listener = await serveUnix(server, { path, mode: 0o600, admit: () => undefined, onRefused: () => undefined });
  const connection = connectUnix(path);
  const sockets = { workload: join(folder, 'workload.sock'), seal: join(folder, 'seal.sock') };
  const echoes = await Promise.all(Object.values(sockets).map(listenEcho));
  mkdirSync(join(folder, 'state'));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'agentProcess.ts')], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'], env: {} });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const channel = connectSocket(child.stdio[3] as Duplex, Runner);

  return {
    folder,
    created,
    views,
    async run({ yaml, params = {}, workspaces = {}, entry = '', options = {} }) {
      const events: RunEvent[] = [];
      const result = await executeRun({ files: [{ name: 'run.yaml', yaml: new TextEncoder().encode(yaml) }], params, workspaces, entry }, {
        agent: channel.stub,
        admin: connection.stub(Admin),
        isolation,
        sockets,
        hide: [join(folder, 'state')],
        folder: join(folder, 'state', 'runs'),
        path: '/usr/local/bin:/usr/bin:/bin',
        clock: { now: () => Date.now() },
        onEvent: (event) => events.push(event),
        ...options,
      });
      return { result, events, output: events.flatMap((event) => (event.kind === 'output' ? [event.line] : [])) };
    },
    async close() {
      channel.close();
      child.kill('SIGKILL');
      await ended;
      connection.close();
      await listener.close();
      await server.stop(0);
      await Promise.all(echoes.map((close) => close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function unused(): never {
  throw new Error('not for this test');
}

/** Says `hello` to whoever connects. */
async function listenEcho(path: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.end('hello\n'));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return () => new Promise((resolve) => server.close(() => resolve()));
}
