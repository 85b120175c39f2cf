import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { makeFolder } from '../keys/files.ts';
import { connectUnix } from '../rpc/client.ts';
import { assertSocketPath } from '../rpc/listen.ts';
import { Admin } from '../rpc/gen/stepseal/admin_pb.js';
import { type Part, startPart } from './startPart.ts';

export interface PartsOptions {
  /** absolute */
  readonly state: string;
  /** undefined: what the state is of, or the default */
  readonly trustDomain: string | undefined;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly keep: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Parts {
  readonly server: {
    readonly trustDomain: string; readonly issuer: string; readonly created: boolean; readonly keysFolder: string;
    readonly grpcAddress: string; readonly httpUrl: string; readonly adminSocket: string;
  };
  readonly agent: { readonly id: string; readonly workloadSocket: string; readonly sealSocket: string };
  /** to the agent's Runner service */
  readonly channel: Duplex;
  /** of server and agent */
  readonly pids: readonly number[];
  readonly left: boolean;
  leave(): void;
  stop(): Promise<void>;
}

/** The server, then the agent, which joins by a token that works once. Throws what either cannot start for. */
export async function startParts(options: PartsOptions): Promise<Parts> {
  const { state, keep, env } = options;
  assertSocketPath(join(state, 'agent', 'workload.sock'), 'state folder with --state');
  const running: Part[] = [];
  let left = false;
  const stop = async (): Promise<void> => {
    for (const part of running.splice(0).toReversed()) await part.stop();
  };
  try {
    const serverFolder = join(state, 'server');
    const server = await startPart({
      args: [
        'server', '--json', '--data', serverFolder, ...(options.trustDomain === undefined ? [] : ['--trust-domain', options.trustDomain]),
        '--http-port', String(options.httpPort), '--grpc-port', String(options.grpcPort), ...(keep ? [] : ['--until-stdin-ends']),
      ],
      env, log: join(state, 'server.log'), channel: false, bound: !keep,
    });
    running.push(server);
    const text = (name: string): string => server.ready.at(name).string();
    const adminSocket = text('adminSocket');

    const agentFolder = join(state, 'agent');
    makeFolder(agentFolder);
    const { token, bundle } = await bootstrap(adminSocket);
    const bundleFile = join(state, 'bootstrap.json');
    writeFileSync(bundleFile, bundle, { mode: 0o600 });
    const agent = await startPart({
      args: [
        'agent', '--json', '--data', agentFolder, '--server', text('grpcAddress'), '--trust-domain', text('trustDomain'),
        '--trust-bundle', bundleFile, '--runner-fd', '3', ...(keep ? [] : ['--until-stdin-ends']),
      ],
      env: { ...env, STEPSEAL_JOIN_TOKEN: token }, log: join(state, 'agent.log'), channel: true, bound: !keep,
    });
    running.push(agent);
    return {
      server: {
        trustDomain: text('trustDomain'), issuer: text('issuer'), created: server.ready.at('created').boolean(), keysFolder: text('keysFolder'),
        grpcAddress: text('grpcAddress'), httpUrl: text('httpUrl'), adminSocket,
      },
      agent: { id: agent.ready.at('id').string(), workloadSocket: agent.ready.at('workloadSocket').string(), sealSocket: agent.ready.at('sealSocket').string() },
      channel: agent.channel!,
      pids: [server.pid, agent.pid],
      get left() {
        return left;
      },
      leave() {
        left = true;
        for (const part of running) part.leave();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function bootstrap(adminSocket: string): Promise<{ token: string; bundle: Uint8Array }> {
  const connection = connectUnix(adminSocket);
  try {
    const admin = connection.stub(Admin);
    const [{ token }, { spiffeBundle }] = await Promise.all([admin.createJoinToken({ ttlSeconds: 60 }), admin.getTrust({})]);
    return { token, bundle: spiffeBundle };
  } finally {
    connection.close();
  }
}
