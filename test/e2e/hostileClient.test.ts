import { connect as connectHttp2, constants, type ClientHttp2Session } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { status } from '@grpc/grpc-js';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentFolder, testAgent, type TestAgentProcess } from '../fakes/testAgent.ts';
import { serverFolder, testServer, type TestServer } from '../fakes/testServer.ts';

const folders = [serverFolder(), agentFolder()] as const;
let server: TestServer;
let agent: TestAgentProcess;
let address: string;

beforeAll(async () => {
  server = await testServer(folders[0].path);
  agent = await testAgent(folders[1].path, server);
  address = server.grpcAddress;
});
afterAll(async () => {
  await agent.stop();
  await server.stop();
  for (const folder of folders) folder.remove();
});

/** gRPC status of a call whose message is announced with `length` bytes and never sent. */
async function announced(session: ClientHttp2Session, path: string, length: number): Promise<number> {
  const stream = session.request({ [constants.HTTP2_HEADER_METHOD]: 'POST', [constants.HTTP2_HEADER_PATH]: path, 'content-type': 'application/grpc', te: 'trailers' });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  stream.write(head);
  const found = await new Promise<number>((resolve, reject) => {
    const look = (headers: object): void => {
      if ('grpc-status' in headers) resolve(Number(headers['grpc-status']));
    };
    stream.on('trailers', look).on('response', look).on('error', reject);
    stream.resume();
  });
  session.destroy();
  return found;
}

test('without an SVID nobody has the server hold a large message, whatever the method', async () => {
  for (const path of ['/spire.api.server.agent.v1.Agent/AttestAgent', '/stepseal.node.v1.Node/Seal']) {
    const session = connectHttp2(`https://${address}`, { rejectUnauthorized: false });
    expect(await announced(session, path, 65 * 1024)).toBe(status.RESOURCE_EXHAUSTED);
  }
});

test('nobody has the agent hold one on the workload socket', async () => {
  const session = connectHttp2('http://localhost', { createConnection: () => connectSocket(agent.workloadSocket) });
  expect(await announced(session, '/SpiffeWorkloadAPI/FetchJWTSVID', 1024 * 1024 + 1)).toBe(status.RESOURCE_EXHAUSTED);
});

test('connections without an SVID are counted, and leave room for agents', async () => {
  const [host, port] = address.split(':') as [string, string];
  const sockets: TLSSocket[] = [];
  const open = (): Promise<'open' | 'closed'> => new Promise((resolve) => {
    const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    sockets.push(socket);
    // HTTP/2 begins with the server's settings
    socket.once('data', () => resolve('open')).once('close', () => resolve('closed')).on('error', () => undefined);
  });
  const outcomes: string[] = [];
  for (let i = 0; i < 201; i++) outcomes.push(await open());
  expect(outcomes.filter((outcome) => outcome === 'closed')).toHaveLength(1);
  expect(outcomes.at(-1)).toBe('closed');
  expect((await agent.core.server.node().identify({ who: { case: 'self', value: {} } })).identities).toHaveLength(1);
  for (const socket of sockets) socket.destroy();
});
