import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { holdStep } from '../../src/attestor/step.ts';
import { agentFolder, testAgent, type TestAgentProcess } from '../fakes/testAgent.ts';
import { createRun, observed, STEP } from '../fakes/serverRun.ts';
import { serverFolder, testServer, type TestServer } from '../fakes/testServer.ts';
import { OTHER, othersWork } from '../unit/attestor/callers.ts';

const ME = `spiffe://example.org/local/user/${userInfo().username}`;
const WORKLOAD = join(import.meta.dirname, '../fakes/workloadProcess.ts');

const folders = [serverFolder(), agentFolder()] as const;
let server: TestServer;
let agent: TestAgentProcess;
const children: ChildProcess[] = [];

beforeAll(async () => {
  server = await testServer(folders[0].path);
  agent = await testAgent(folders[1].path, server, { limits: { holdMs: 2000 } });
  // for callers of other users
  chmodSync(folders[1].path, 0o755);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await agent.stop();
  await server.stop();
  for (const folder of folders) folder.remove();
});

interface Workload {
  readonly pid: number;
  /** the next line it prints */
  said(): Promise<{ svids?: string[]; ended?: number }>;
  again(): void;
}

function workload(options: SpawnOptions = {}): Workload {
  const child = spawn(process.execPath, [WORKLOAD, agent.workloadSocket], { stdio: ['pipe', 'pipe', 'inherit'], ...options });
  children.push(child);
  const said = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return { pid: child.pid!, said: async () => JSON.parse((await said.next()).value as string), again: () => void child.stdin!.write('\n') };
}

/** What the runner does when a step's first process waits, and at its end. */
async function openStep(pid: number): Promise<{ end(): Promise<void> }> {
  const { taskRunUid } = await createRun(server);
  const { attemptId } = await agent.core.server.node().openAttempt({ taskRunUid, step: 'build', attempt: 0, observed: observed() });
  const hold = holdStep(pid, false);
  agent.core.callers.openStep(attemptId, hold);
  agent.core.stepOpened();
  return {
    async end() {
      agent.core.callers.endStep(attemptId);
      agent.core.stepEnded(attemptId);
      await agent.core.server.node().closeAttempt({ attemptId, reason: 'lost' });
      hold.release();
    },
  };
}

test('a step gets its own identity and the person the person\'s; at the end of the attempt its stream ends, and it gets nothing more', async () => {
  const person = workload();
  expect(await person.said()).toEqual({ svids: [ME] });
  const step = workload();
  expect(await step.said()).toEqual({ svids: [ME] });

  // from here on the process is a step
  const opened = await openStep(step.pid);
  expect(await step.said()).toEqual({ svids: [STEP] });
  await opened.end();
  expect(await step.said()).toEqual({ ended: status.PERMISSION_DENIED });
  step.again();
  expect(await step.said()).toEqual({ ended: status.PERMISSION_DENIED });
  person.again();
  expect(await person.said()).toEqual({ svids: [ME] });
});

test.skipIf(!othersWork)('a caller without identity is held: it gets the one that comes, and is refused when none does', async () => {
  const refused = workload(OTHER);
  expect(await refused.said()).toEqual({ ended: status.PERMISSION_DENIED });
  refused.again();
  // held now, or at the latest when the step is there
  const opened = await openStep(refused.pid);
  expect(await refused.said()).toEqual({ svids: [STEP] });
  await opened.end();
  expect(await refused.said()).toEqual({ ended: status.PERMISSION_DENIED });
});
