import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type MethodDefinition, Metadata, type ServiceError, type status } from '@grpc/grpc-js';
import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import type { AgentCore } from '../../src/agent/core.ts';
import type { AgentLimits, AgentOptions } from '../../src/agent/options.ts';
import type { MakeParts } from '../../src/agent/parts.ts';
import { type RunningAgent, startAgent } from '../../src/agent/serve.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { systemRng } from '../../src/keys/system.ts';
import { methodDefinition, type Service } from '../../src/rpc/definition.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../src/rpc/gen/grpc/health/v1/health_pb.js';
import { SpiffeWorkloadAPI } from '../../src/rpc/gen/workload_pb.js';
import type { TestServer } from './testServer.ts';

/** Waits short enough for tests. */
export const QUICK: AgentLimits = { holdMs: 10_000, joinWaitMs: 300, cached: 100, tickMs: 20, keepaliveMs: 20_000, backoffMs: { first: 20, longest: 100 } };

export interface TestAgentProcess extends RunningAgent {
  readonly data: string;
  readonly core: AgentCore;
  /** what it logged, as text */
  readonly logged: string[];
  readonly clock: { now(): number; move(by: number): void };
  readonly client: WorkloadClient;
  /** `serving`, `not serving` of a name in health */
  health(name: string): Promise<string>;
}

export interface AgentStart extends Partial<Omit<AgentOptions, 'data' | 'limits'>> {
  readonly clock?: { now(): number; move(by: number): void };
  readonly limits?: Partial<AgentLimits>;
}

/** A folder for agents, short enough for sockets. */
export function agentFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'stepseal-a-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The real agent in this process, without runner and Seal; joined by a token of the server unless told otherwise. */
export async function testAgent(data: string, server: TestServer, over: AgentStart = {}): Promise<TestAgentProcess> {
  const { limits, clock = server.clock, ...options } = over;
  const logged: string[] = [];
  const keep = (fields: object, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`);
  let core: AgentCore | undefined;
  const parts: MakeParts = (made) => {
    core = made;
    return Promise.resolve({ services: [], sealApp: undefined, stop: () => Promise.resolve() });
  };
  const joining = { ...('joinToken' in over ? {} : { joinToken: await server.joinToken() }), ...('trustBundle' in over ? {} : { trustBundle: await bundleOf(server) }) };
  const running = await startAgent(
    { data, server: addressOf(server), trustBundle: undefined, trustDomain: undefined, joinToken: undefined, socketDir: data, peerMode: 'auto', runnerFd: undefined, ...joining, ...options, limits: { ...QUICK, ...limits } },
    { clock, rng: systemRng, prehash: createPrehash(), log: { info: keep, warn: keep, error: keep } },
    parts,
  );
  const client = workloadClient(running.workloadSocket);
  return {
    ...running, data, logged, clock, client,
    core: core!,
    health: (name) => client.health(name),
    async stop() {
      client.close();
      await running.stop();
    },
  };
}

export function addressOf(server: TestServer): { host: string; port: number } {
  const [host, port] = server.grpcAddress.split(':');
  return { host: host!, port: Number(port) };
}

export async function bundleOf(server: TestServer): Promise<Uint8Array> {
  return (await server.admin.getTrust({})).spiffeBundle;
}

type Methods = typeof SpiffeWorkloadAPI.method;
type Name = keyof Methods;
type Answer<M extends Name> = MessageShape<Methods[M]['output']>;

/** What a stream has said so far, and how it ended. */
export interface Stream<M extends Name> {
  /** the next message that was not taken yet; rejects with the status when the stream has ended */
  next(): Promise<Answer<M>>;
  readonly waiting: number;
  /** the status that ended it */
  readonly ended: Promise<{ code: status; details: string }>;
  cancel(): void;
}

export interface WorkloadClient {
  unary<M extends 'fetchJWTSVID' | 'validateJWTSVID'>(method: M, request: MessageInitShape<Methods[M]['input']>, metadata?: Record<string, string>): Promise<Answer<M>>;
  stream<M extends 'fetchX509SVID' | 'fetchX509Bundles' | 'fetchJWTBundles'>(method: M, metadata?: Record<string, string>): Stream<M>;
  health(name: string): Promise<string>;
  close(): void;
}

const HEADER = { 'workload.spiffe.io': 'true' };

/** A plain grpc-js client of the Workload API, none of our client code: it shows the status as it is on the wire. */
export function workloadClient(socket: string): WorkloadClient {
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const define = (service: unknown, name: string): MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>> => methodDefinition(service as Service, name);
  const unary = (service: unknown, method: string, request: MessageShape<DescMessage>, metadata: Record<string, string>): Promise<MessageShape<DescMessage>> => {
    const { path, requestSerialize, responseDeserialize } = define(service, method);
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadataOf(metadata), (error, answer) => (error === null ? resolve(answer!) : reject(error)));
    });
  };
  return {
    unary: (method, request, metadata = HEADER) => unary(SpiffeWorkloadAPI, method, create(SpiffeWorkloadAPI.method[method].input as DescMessage, request), metadata) as never,
    stream(method, metadata = HEADER) {
      const { path, requestSerialize, responseDeserialize } = define(SpiffeWorkloadAPI, method);
      const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, create(SpiffeWorkloadAPI.method[method].input as DescMessage), metadataOf(metadata));
      const arrived: MessageShape<DescMessage>[] = [];
      const takers: PromiseWithResolvers<MessageShape<DescMessage>>[] = [];
      const end = Promise.withResolvers<{ code: status; details: string }>();
      let over: Error | undefined;
      call.on('data', (message: MessageShape<DescMessage>) => {
        const taker = takers.shift();
        if (taker === undefined) arrived.push(message);
        else taker.resolve(message);
      });
      call.on('error', (error: ServiceError) => (over = error));
      call.on('status', ({ code, details }: { code: status; details: string }) => {
        over ??= Object.assign(new Error(details), { code, details });
        for (const { reject } of takers.splice(0)) reject(over);
        end.resolve({ code, details });
      });
      return {
        next() {
          if (arrived.length > 0) return Promise.resolve(arrived.shift()!) as never;
          if (over !== undefined) return Promise.reject(over);
          const taker = Promise.withResolvers<MessageShape<DescMessage>>();
          takers.push(taker);
          return taker.promise as never;
        },
        get waiting() {
          return arrived.length;
        },
        ended: end.promise,
        cancel: () => call.cancel(),
      };
    },
    async health(service) {
      const { status } = (await unary(Health, 'check', create(Health.method.check.input, { service }), {})) as MessageShape<typeof Health.method.check.output>;
      return status === Status.SERVING ? 'serving' : 'not serving';
    },
    close: () => client.close(),
  };
}

function metadataOf(values: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(values)) metadata.set(name, value);
  return metadata;
}

/** Resolves when `probe` answers true; the test's own time limit is the end of waiting. */
export async function eventually(probe: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await probe())) await new Promise((resolve) => setTimeout(resolve, 20));
}
