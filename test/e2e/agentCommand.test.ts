import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectUnix } from '../../src/rpc/client.ts';
import { Admin } from '../../src/rpc/gen/stepseal/admin_pb.js';
import { agentFolder, eventually, workloadClient } from '../fakes/testAgent.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const folder = agentFolder();
const at = (name: string): string => join(folder.path, name);
const running: ChildProcess[] = [];

interface Part {
  readonly child: ChildProcess;
  readonly first: Record<string, Record<string, string>>;
}

/** A command of the real program, until its first line. */
async function start(args: readonly string[], env: Record<string, string> = {}): Promise<Part> {
  const child = spawn(process.execPath, [MAIN, ...args, '--json'], { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'ignore'] });
  running.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, first: JSON.parse(line) as Part['first'] };
}
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const closed = once(child, 'close');
  child.kill(signal);
  return ((await closed) as [number | null])[0];
}
const startServer = (port: string): Promise<Part> => start(['server', '--data', at('server'), '--http-port', '0', '--grpc-port', port]);
const startAgent = (env?: Record<string, string>): Promise<Part> => start(['agent', '--data', at('agent'), '--server', address, '--trust-bundle', at('bundle.json')], env);

let server: Part;
let address: string;
let token: string;

beforeAll(async () => {
  server = await startServer('0');
  address = server.first['ready']!['grpcAddress']!;
  const admin = connectUnix(server.first['ready']!['adminSocket']!);
  ({ token } = await admin.stub(Admin).createJoinToken({}));
  writeFileSync(at('bundle.json'), (await admin.stub(Admin).getTrust({})).spiffeBundle);
  admin.close();
});
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  folder.remove();
});

test('stepseal agent joins, serves over the death of the server and its own, and stops when it is told to', async () => {
  const refused = await startAgent();
  expect(refused.first['error']).toMatchObject({ code: 'AGENT_JOIN_REQUIRED' });
  if (refused.child.exitCode === null) await once(refused.child, 'exit');
  expect(refused.child.exitCode).toBe(3);

  const agent = await startAgent({ STEPSEAL_JOIN_TOKEN: token });
  const { id, trustDomain, workloadSocket, sealSocket } = agent.first['ready']!;
  expect({ trustDomain, workloadSocket, sealSocket }).toEqual({ trustDomain: 'example.org', workloadSocket: at('agent/workload.sock'), sealSocket: at('agent/seal.sock') });
  const client = workloadClient(workloadSocket!);
  const stream = client.stream('fetchX509SVID');
  const { svids } = await stream.next();
  expect(svids).toHaveLength(1);

  await end(server.child, 'SIGKILL');
  await eventually(async () => (await client.health('stepseal.server')) === 'not serving');
  expect((await client.stream('fetchX509SVID').next()).svids).toEqual(svids);
  server = await startServer(address.split(':')[1]!);
  await eventually(async () => (await client.health('stepseal.server')) === 'serving');
  await client.unary('fetchJWTSVID', { audience: ['a'] });

  await end(agent.child, 'SIGKILL');
  expect((await stream.ended).code).toBe(status.UNAVAILABLE);
  const again = await startAgent();
  expect(again.first['ready']!['id']).toBe(id);
  const later = client.stream('fetchX509SVID');
  await later.next();
  expect(await end(again.child, 'SIGTERM')).toBe(0);
  expect((await later.ended).code).toBe(status.UNAVAILABLE);
  client.close();
});
