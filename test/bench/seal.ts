import { fsyncSync, mkdirSync, openSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { Health } from '../../src/rpc/gen/grpc/health/v1/health_pb.js';
import { SealRequestSchema } from '../../src/rpc/gen/stepseal/seal_pb.js';
import { connectUnix } from '../../src/rpc/client.ts';
import { type BedStep, partsBed, type PartsBed } from '../fakes/partsBed.ts';
import { percentile, rss } from './measure.ts';
import type { Row } from './row.ts';

const WARM = 20;
const COUNT = 200;
const MANY = 1000;
const ROUNDS = 5;
const SEAL = '/stepseal.seal.v1.Seal/Seal';
const TASK = 'apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: bench}\nspec: {steps: [{name: build, image: none, script: "true"}]}\n';

/**
 * A process of a step has things sealed by the real agent and the real server, processes of their own. The floor of one
 * Seal is what it cannot do without, bare: ten P-256 signatures and checks, and an fsync for the key, the CT log and the log.
 */
export async function bench(): Promise<Row[]> {
  const bed = await partsBed();
  const run = await bed.createRun(TASK);
  const first = await bed.step(run, 'build', 1);
  const { times: [cold] } = await first.do({ post: '/v1/seal', socket: bed.sealSocket, bodies: [JSON.stringify({ items: [{ sha256: digest('cold') }] })] });
  await first.finish();

  const step = await bed.step(run, 'build', 2);
  const floors: number[] = [];
  // by turns with what is beside it, so that a busy moment hits both
  const sampleFloor = (): void => void floors.push(...Array.from({ length: COUNT / 2 }, () => bareSeal(join(bed.folder, 'floor'))));
  sampleFloor();
  const floor = (at: number) => ({ unit: 'ms', floor: `${SIGNATURES} P-256, ${FSYNCS} fsync`, floorValue: percentile(floors, at) });
  const target = (value: number, limit: number) => ({ value, target: `≤ ${limit}`, ok: value <= limit });
  const both = (what: string, times: readonly number[]): Row[] => [
    { what: `seal one, ${what}, p50`, ...target(percentile(times, 0.5), 25), ...floor(0.5) },
    { what: `seal one, ${what}, p99`, ...target(percentile(times, 0.99), 100), ...floor(0.99) },
  ];
  const bodies = Array.from({ length: WARM + COUNT }, (_, i) => JSON.stringify({ items: [{ name: 'x', sha256: digest(`http ${i}`) }] }));
  const http = await step.do({ post: '/v1/seal', socket: bed.sealSocket, bodies });
  sampleFloor();
  const messages = Array.from({ length: WARM + COUNT }, (_, i) =>
    Buffer.from(toBinary(SealRequestSchema, create(SealRequestSchema, { items: [{ name: 'x', what: { case: 'sha256', value: digest(`grpc ${i}`) } }] }))).toString('base64'));
  const grpc = await step.do({ grpc: SEAL, socket: bed.workloadSocket, messages, kept: true });
  sampleFloor();
  const rows: Row[] = [
    { what: 'seal one, the very first of server and agent', value: cold!, ...floor(0.5) },
    ...both('HTTP, a connection each', http.times.slice(WARM)),
    ...both('gRPC, one connection', grpc.times.slice(WARM)),
    ...(await many(bed, step)),
  ];
  const begun = performance.now();
  await step.finish();
  rows.push({ what: `end of that step: claim over all its ${2 * (WARM + COUNT) + ROUNDS * MANY} Seals, evidence`, unit: 'ms', value: performance.now() - begun });
  const held = (pid: number): Row => ({ what: `memory of the ${pid === bed.server.pid ? 'server' : 'agent'} after all of this`, unit: 'MiB', value: rss(pid) });
  rows.push(held(bed.server.pid), held(bed.agent.pid));
  await bed.close();
  return rows;
}

/** Files that the agent opens and hashes, one Seal; and how long others wait for the agent meanwhile. */
async function many(bed: PartsBed, step: BedStep): Promise<Row[]> {
  const folder = join(step.folder, 'files');
  mkdirSync(folder);
  const times: number[] = [];
  const floors: number[] = [];
  const waits: number[] = [];
  const health = connectUnix(bed.workloadSocket);
  for (let round = 0; round < ROUNDS; round++) {
    const items = Array.from({ length: MANY }, (_, i) => {
      const path = join(folder, `${round}-${i}`);
      writeFileSync(path, `artifact ${round} ${i} `.repeat(100));
      return { name: `${i}`, path };
    });
    floors.push(bareSigning(MANY));
    const sealed = new AbortController();
    const sealing = step.do({ post: '/v1/seal', socket: bed.sealSocket, bodies: [JSON.stringify({ items })] }).finally(() => sealed.abort());
    while (!sealed.signal.aborted) {
      const began = performance.now();
      await health.stub(Health).check({});
      waits.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { times: [time], last } = await sealing;
    if ((JSON.parse(Buffer.from(last, 'base64').toString()) as { items: object[] }).items.length !== MANY) throw new Error('not all were sealed');
    times.push(time!);
  }
  health.close();
  const value = percentile(times, 0.5);
  return [
    { what: `${MANY} files of one step, a bundle each, p50 of ${ROUNDS}`, unit: 'ms', value, floor: `${3 * MANY} P-256: sign, check, stamp`, floorValue: percentile(floors, 0.5), target: '≤ 2,000', ok: value <= 2000 },
    { what: 'another caller of that agent meanwhile, p99', unit: 'ms', value: percentile(waits, 0.99) },
  ];
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** key and possession at the agent, certificate with lint and SCT, timestamp, checkpoints of both logs; two checks at the server */
const SIGNATURES = 10;
const FSYNCS = 3;
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const DATA = Buffer.alloc(1000);
const SIGNATURE = sign('sha256', DATA, privateKey);

function bareSeal(path: string): number {
  const fd = openSync(path, 'a');
  const began = performance.now();
  for (let i = 0; i < SIGNATURES / 2; i++) {
    sign('sha256', DATA, privateKey);
    verify('sha256', DATA, publicKey, SIGNATURE);
  }
  for (let i = 0; i < FSYNCS; i++) {
    writeSync(fd, DATA);
    fsyncSync(fd);
  }
  const elapsed = performance.now() - began;
  closeSync(fd);
  return elapsed;
}

function bareSigning(count: number): number {
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    sign('sha256', DATA, privateKey);
    verify('sha256', DATA, publicKey, SIGNATURE);
    sign('sha256', DATA, privateKey);
  }
  return performance.now() - began;
}
