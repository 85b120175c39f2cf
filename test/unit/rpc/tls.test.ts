import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createServer, connect as connectNet } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StepsealError } from '../../../src/base/errors.ts';
import { connectTls, type TlsTarget } from '../../../src/rpc/client.ts';
import { Seal } from '../../../src/rpc/gen/stepseal/seal_pb.js';
import { implement } from '../../../src/rpc/handlers.ts';
import { createRpcServer } from '../../../src/rpc/server.ts';
import { connectSocket } from '../../../src/rpc/socketClient.ts';
import { serveTls, type TlsIdentity, type TlsPeer } from '../../../src/rpc/tls.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

const generate = () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

interface Made extends TlsIdentity {
  readonly keys: Awaited<ReturnType<typeof generate>>;
  readonly certificate: x509.X509Certificate;
}

async function make(uri: string, issuer?: Made): Promise<Made> {
  const keys = await generate();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: '01', subject: `CN=${uri.length}`, issuer: issuer?.certificate.subject ?? `CN=${uri.length}`,
    notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000),
    publicKey: keys.publicKey, signingKey: (issuer?.keys ?? keys).privateKey, signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(issuer === undefined, undefined, true), new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uri }])],
  });
  return { keys, certificate, chain: [new Uint8Array(certificate.rawData)], key: new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey)) };
}

let ca: Made;
let server: Made;
let agent: Made;
let stranger: Made;
let ended: (() => unknown)[] = [];

beforeAll(async () => {
  ca = await make('spiffe://example.org');
  server = await make('spiffe://example.org/spire/server', ca);
  agent = await make('spiffe://example.org/spire/agent/x', ca);
  stranger = await make('spiffe://example.com');
});

afterEach(async () => {
  for (const end of ended.reverse()) await end();
  ended = [];
});

async function serve(admit: (peer: TlsPeer) => TlsPeer = (peer) => peer) {
  const refused: unknown[] = [];
  const rpc = createRpcServer<TlsPeer>({
    services: [implement<TlsPeer, typeof Seal>(Seal, { seal: (_request, { peer }) => ({ spiffeId: peer.chain.map((der) => Buffer.from(der).toString('hex')).join(',') }) })],
    onFault: () => undefined,
  });
  const listener = await serveTls(rpc, { host: '127.0.0.1', port: 0, identity: server, admit, onRefused: (error) => refused.push(error) });
  ended.push(() => listener.close(), () => rpc.stop(0));
  const connect = (over: Partial<TlsTarget> = {}) => {
    const connection = connectTls({ host: '127.0.0.1', port: listener.port, identity: agent, roots: ca.chain, verifyServer: () => undefined, ...over });
    ended.push(() => connection.close());
    return connection.stub(Seal);
  };
  return { listener, refused, connect };
}

const hex = (made: Made) => Buffer.from(made.chain[0]!).toString('hex');

describe('gRPC over mutual TLS', () => {
  it('gives the service the certificates of the client, also of one that no root vouches for, and none where none was sent', async () => {
    const { connect } = await serve();
    expect((await connect({ identity: { ...agent, chain: [...agent.chain, ...ca.chain] } }).seal({})).spiffeId).toBe(`${hex(agent)},${hex(ca)}`);
    expect((await connect({ identity: stranger }).seal({})).spiffeId).toBe(hex(stranger));
    expect((await connect({ identity: undefined }).seal({})).spiffeId).toBe('');
  });

  it('closes a connection whose peer is not admitted', async () => {
    const { connect, refused } = await serve(() => {
      throw new StepsealError('PEER_UNKNOWN', 'not you');
    });
    await expect(connect().seal({}, { timeoutMs: 2000 })).rejects.toMatchObject({ kind: 'unavailable' });
    expect(refused[0]).toMatchObject({ code: 'PEER_UNKNOWN' });
  });

  it('shows the client the certificates of the server, and passes on why it did not like them', async () => {
    const { connect } = await serve();
    const seen: string[] = [];
    await connect({ verifyServer: (chain) => void seen.push(Buffer.from(chain[0]!).toString('hex')) }).seal({});
    expect(seen).toEqual([hex(server)]);
    const refusing = connect({
      verifyServer: () => {
        throw new StepsealError('PEER_UNKNOWN', 'another server');
      },
    });
    await expect(refusing.seal({})).rejects.toMatchObject({ code: 'PEER_UNKNOWN', message: 'another server' });
  });

  it('does not talk to a server that the roots do not vouch for', async () => {
    const { connect } = await serve();
    await expect(connect({ roots: stranger.chain }).seal({})).rejects.toMatchObject({ code: 'SERVICE_UNREACHABLE' });
  });

  it('shows new connections a renewed identity', async () => {
    const { connect, listener } = await serve();
    const renewed = await make('spiffe://example.org/spire/server', ca);
    listener.renew(renewed);
    const seen: string[] = [];
    await connect({ verifyServer: (chain) => void seen.push(Buffer.from(chain[0]!).toString('hex')) }).seal({});
    expect(seen).toEqual([hex(renewed)]);
  });

  it('says PORT_TAKEN for a port in use', async () => {
    const { listener } = await serve();
    const rpc = createRpcServer<TlsPeer>({ services: [], onFault: () => undefined });
    await expect(serveTls(rpc, { host: '127.0.0.1', port: listener.port, identity: server, admit: (peer) => peer, onRefused: () => undefined }))
      .rejects.toMatchObject({ code: 'PORT_TAKEN', found: `${listener.port}` });
  });
});

describe('gRPC over a connection that is open already', () => {
  async function pair() {
    const rpc = createRpcServer<string>({
      services: [implement<string, typeof Seal>(Seal, {
        seal({ items }, { peer }) {
          if (items.length === 0) throw new StepsealError('DIGEST_INVALID', 'nichts – nothing 100%', { expected: 'items' });
          if (items[0]!.name === 'hang') return new Promise(() => undefined);
          return { spiffeId: peer, items: items.map(({ name }) => ({ name })) };
        },
      })],
      onFault: () => undefined,
    });
    const listener = createServer((socket) => rpc.inject(socket, 'inherited')).listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    const { stub, close } = connectSocket(connectNet((listener.address() as { port: number }).port, '127.0.0.1'), Seal);
    ended.push(() => listener.close(), () => rpc.stop(0), close);
    return { rpc, stub };
  }

  it('answers many calls at once, small and large', async () => {
    const { stub } = await pair();
    const name = 'x'.repeat(1_000_000);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => stub.seal({ items: [{ name: `${i}` }, { name }] })));
    expect(answers.map(({ spiffeId, items }) => `${spiffeId} ${items[0]!.name} ${items[1]!.name.length}`)).toEqual(answers.map((_, i) => `inherited ${i} 1000000`));
  });

  it('carries errors across, and rejects SERVICE_UNREACHABLE when the other side ends', async () => {
    const { rpc, stub } = await pair();
    await expect(stub.seal({})).rejects.toMatchObject({ code: 'DIGEST_INVALID', message: 'nichts – nothing 100%', expected: 'items' });
    const hanging = expect(stub.seal({ items: [{ name: 'hang' }] })).rejects.toMatchObject({ kind: 'unavailable' });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await rpc.stop(0);
    await hanging;
    await expect(stub.seal({})).rejects.toMatchObject({ code: 'SERVICE_UNREACHABLE' });
  });
});
