import { copyFileSync, linkSync } from 'node:fs';
import { createServer } from 'node:http2';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { X509SVIDResponseSchema } from '../../src/rpc/gen/workload_pb.js';
import { type BedCaller, partsBed, type PartsBed } from '../fakes/partsBed.ts';
import { percentile } from './measure.ts';
import type { Row } from './row.ts';

const STEPS = 150;
const PERSONS = 40;
const FETCH = '/SpiffeWorkloadAPI/FetchX509SVID';
const TASK = 'apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: bench}\nspec: {steps: [{name: build, image: none, script: "true"}]}\n';

/**
 * First SVID: from the word that there is a step (StartStep) over its own connection to the X509-SVID in its hands, each
 * time a step attempt and a process that never existed before; agent and server are processes of their own. The floor is
 * the same connect and call from the same process to a bare node:http2 server that answers 2 KiB.
 */
export async function bench(): Promise<Row[]> {
  const bed = await partsBed();
  const floor = await bareServer(join(bed.folder, 'floor.sock'));
  const floors: number[] = [];
  const warm = async (caller: BedCaller): Promise<void> => {
    const { times } = await caller.do({ grpc: FETCH, socket: floor.path, messages: Array<string>(30).fill('') });
    floors.push(percentile(times.slice(10), 0.5));
  };
  const steps = await ofSteps(bed, warm);
  const persons = await ofPersons(bed, warm);
  await floor.close();
  await bed.close();
  const beside = (at: number) => ({ unit: 'ms', floor: 'connect + call, bare node:http2', floorValue: percentile(floors, at) });
  const target = (value: number, limit: number) => ({ value, target: `≤ ${limit}`, ok: value <= limit });
  const rows = (what: string, times: readonly number[]): Row[] => [
    { what: `first SVID, ${what}, p50`, ...target(percentile(times, 0.5), 15), ...beside(0.5) },
    { what: `first SVID, ${what}, p99`, ...target(percentile(times, 0.99), 60), ...beside(0.99) },
  ];
  return [
    ...rows('new step: announced, connected, X509-SVID', steps.map(({ start, fetch }) => start + fetch)),
    { what: 'of it: connect → X509-SVID, p50', unit: 'ms', value: percentile(steps.map(({ fetch }) => fetch), 0.5) },
    { what: 'end of such a step: claim and evidence sealed, p50', unit: 'ms', value: percentile(steps.map(({ end }) => end), 0.5) },
    ...rows('new program of a person: connect → X509-SVID', persons),
  ];
}

/** ms */
interface Times {
  readonly start: number;
  readonly fetch: number;
  readonly end: number;
}

async function ofSteps(bed: PartsBed, warm: (caller: BedCaller) => Promise<void>): Promise<Times[]> {
  const run = await bed.createRun(TASK);
  const times: Times[] = [];
  for (let attempt = 1; attempt <= STEPS; attempt++) {
    const step = await bed.step(run, 'build', attempt, warm);
    const { times: [fetch], last } = await step.do({ grpc: FETCH, socket: bed.workloadSocket, messages: [''] });
    assertIs(last, (spiffeId) => spiffeId === step.started.spiffeId);
    const began = performance.now();
    await step.finish();
    times.push({ start: step.startMs, fetch: fetch!, end: performance.now() - began });
  }
  return times;
}

/** Each is another program to the agent: another path of the same file. */
async function ofPersons(bed: PartsBed, warm: (caller: BedCaller) => Promise<void>): Promise<number[]> {
  const program = join(bed.folder, 'program');
  copyFileSync(process.execPath, program);
  const times: number[] = [];
  for (let i = 0; i < PERSONS; i++) {
    linkSync(program, `${program}-${i}`);
    const person = await bed.person(`${program}-${i}`);
    await warm(person);
    const { times: [fetch], last } = await person.do({ grpc: FETCH, socket: bed.workloadSocket, messages: [''] });
    assertIs(last, (spiffeId) => spiffeId.includes('/local/user/'));
    times.push(fetch!);
    person.end();
  }
  return times;
}

function assertIs(message: string, expected: (spiffeId: string) => boolean): void {
  const [svid] = fromBinary(X509SVIDResponseSchema, Buffer.from(message, 'base64')).svids;
  if (svid === undefined || !expected(svid.spiffeId)) throw new Error(`an SVID of ${svid?.spiffeId}`);
}

async function bareServer(path: string): Promise<{ readonly path: string; close(): Promise<void> }> {
  const frame = Buffer.alloc(5 + 2048);
  frame.writeUInt32BE(2048, 1);
  const server = createServer();
  server.on('stream', (stream) => {
    stream.resume().once('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.end(frame);
    }).on('error', () => undefined);
  });
  server.on('session', (session) => session.on('error', () => undefined));
  await new Promise<void>((ready) => server.listen(path, ready));
  return { path, close: () => new Promise((done) => server.close(() => done())) };
}
