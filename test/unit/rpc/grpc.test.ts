import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StepsealError } from '../../../src/base/errors.ts';
import { connectUnix, type Connection } from '../../../src/rpc/client.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../../src/rpc/gen/grpc/health/v1/health_pb.js';
import { ServerReflection } from '../../../src/rpc/gen/grpc/reflection/v1/reflection_pb.js';
import { Agent } from '../../../src/rpc/gen/spire/api/server/agent/v1/agent_pb.js';
import { Node } from '../../../src/rpc/gen/stepseal/node_pb.js';
import { Seal } from '../../../src/rpc/gen/stepseal/seal_pb.js';
import { implement, type Call, type Handlers } from '../../../src/rpc/handlers.ts';
import { createHealth } from '../../../src/rpc/health.ts';
import { reflection } from '../../../src/rpc/reflection.ts';
import { createRpcServer, type RpcServer } from '../../../src/rpc/server.ts';
import { serveUnix } from '../../../src/rpc/unix.ts';

let folder: string;
let ended: (() => unknown)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepseal-rpc-'));
  ended = [() => rmSync(folder, { recursive: true })];
});

afterEach(async () => {
  for (const end of ended.reverse()) await end();
});

interface Peer {
  readonly number: number;
}

async function serve(seal: Handlers<Peer, typeof Seal>, more: Parameters<typeof createRpcServer<Peer>>[0]['services'] = [], before?: (call: Call<Peer>) => void) {
  const faults: unknown[] = [];
  const rpc: RpcServer<Peer> = createRpcServer<Peer>({ services: [implement<Peer, typeof Seal>(Seal, seal, before), ...more], onFault: (error) => faults.push(error) });
  const path = join(folder, 's.sock');
  let number = 0;
  const listener = await serveUnix(rpc, { path, mode: 0o600, admit: () => ({ number: ++number }), onRefused: (error) => faults.push(error) });
  ended.push(async () => {
    await listener.close();
  }, () => rpc.stop(0));
  const connect = (): Connection => {
    const connection = connectUnix(path);
    ended.push(() => connection.close());
    return connection;
  };
  return { path, rpc, faults, connect };
}

describe('gRPC over a Unix socket', () => {
  it('answers a unary call with protobuf-es messages and tells the handler which connection it came over', async () => {
    const { connect } = await serve({ seal: ({ items }, { peer }) => ({ spiffeId: `${peer.number}`, items: items.map(({ name }) => ({ name, bundle: new Uint8Array([1, 2]) })) }) });
    const [first, second] = [connect().stub(Seal), connect().stub(Seal)];
    const one = await first.seal({ items: [{ name: 'a' }] });
    const two = await second.seal({});
    const again = await first.seal({});
    expect(one.items[0]).toMatchObject({ name: 'a', bundle: new Uint8Array([1, 2]) });
    expect(one.items[0]?.bundle.constructor).toBe(Uint8Array);
    expect([one.spiffeId, two.spiffeId, again.spiffeId]).toEqual(['1', '2', '1']);
  });

  it('carries an error across with its code, message, expected and found', async () => {
    const { connect, faults } = await serve({
      seal: () => {
        throw new StepsealError('DIGEST_INVALID', 'no such digest', { expected: '64 characters', found: 'ü' });
      },
    });
    await expect(connect().stub(Seal).seal({})).rejects.toMatchObject({ code: 'DIGEST_INVALID', message: 'no such digest', expected: '64 characters', found: 'ü' });
    expect(faults).toEqual([]);
  });

  it('answers INTERNAL for anything else that is thrown, reports it, and lets nothing of it out', async () => {
    const { connect, faults } = await serve({ seal: () => Promise.reject(new Error('the secret is 42')) });
    const refused = await connect().stub(Seal).seal({}).catch((error: unknown) => error as StepsealError);
    expect(refused).toMatchObject({ code: 'INTERNAL', message: 'internal error' });
    expect(String(faults[0])).toContain('the secret is 42');
  });

  it('refuses a call in `before`, for every method of the service', async () => {
    const { connect } = await serve({ seal: () => ({}) }, [], ({ metadata }) => {
      if (metadata.get('workload.spiffe.io')[0] !== 'true') throw new StepsealError('USAGE', 'security header missing from request');
    });
    const stub = connect().stub(Seal);
    await expect(stub.seal({})).rejects.toMatchObject({ code: 'USAGE' });
    await expect(stub.seal({}, { metadata: { 'workload.spiffe.io': 'true' } })).resolves.toBeDefined();
  });

  it('gives up at the deadline, and aborts the handler then', async () => {
    const aborted = Promise.withResolvers<string>();
    const { connect } = await serve({
      seal: (_request, { signal }) => new Promise(() => signal.addEventListener('abort', () => aborted.resolve('aborted'))),
    });
    await expect(connect().stub(Seal).seal({}, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await expect(aborted.promise).resolves.toBe('aborted');
  });

  it('is cancelled by the caller', async () => {
    const { connect } = await serve({ seal: () => new Promise(() => undefined) });
    const abort = new AbortController();
    const call = connect().stub(Seal).seal({}, { signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: 'CALL_CANCELLED' });
  });

  it('refuses a message above 16 MiB', async () => {
    const { connect } = await serve({ seal: () => ({}) });
    const call = connect().stub(Seal).seal({ items: [{ name: 'x'.repeat(17 * 1024 * 1024) }] });
    await expect(call).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
  });

  it('says SERVICE_UNREACHABLE where nobody listens, and RPC_UNIMPLEMENTED for an unknown method', async () => {
    const nobody = connectUnix(join(folder, 'none.sock'));
    ended.push(() => nobody.close());
    await expect(nobody.stub(Seal).seal({})).rejects.toMatchObject({ code: 'SERVICE_UNREACHABLE' });
    const { connect } = await serve({ seal: () => ({}) });
    await expect(connect().stub(Node).identify({})).rejects.toMatchObject({ code: 'RPC_UNIMPLEMENTED' });
  });

  it('streams until the handler ends, and passes on its error', async () => {
    const trust = implement<Peer, typeof Node>(Node, {
      async watchTrust(_request: unknown, _call: unknown, send: (message: object) => Promise<void>) {
        for (let i = 1; i <= 3; i++) await send({ sequence: BigInt(i) });
        throw new StepsealError('CA_EXPIRED', 'over');
      },
    } as never);
    const { connect } = await serve({ seal: () => ({}) }, [trust]);
    const seen: bigint[] = [];
    await expect(connect().stub(Node).watchTrust({}, ({ sequence }) => seen.push(sequence))).rejects.toMatchObject({ code: 'CA_EXPIRED' });
    expect(seen).toEqual([1n, 2n, 3n]);
  });

  it('aborts the handler of a stream whose caller goes away', async () => {
    const gone = Promise.withResolvers<string>();
    const trust = implement<Peer, typeof Node>(Node, {
      async watchTrust(_request: unknown, { signal }: Call<Peer>, send: (message: object) => Promise<void>) {
        await send({});
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        gone.resolve('gone');
      },
    } as never);
    const { connect } = await serve({ seal: () => ({}) }, [trust]);
    const abort = new AbortController();
    const stream = connect().stub(Node).watchTrust({}, () => abort.abort(), { signal: abort.signal });
    await expect(stream).rejects.toMatchObject({ code: 'CALL_CANCELLED' });
    await expect(gone.promise).resolves.toBe('gone');
  });

  it('converses in both directions', async () => {
    const agent = implement<Peer, typeof Agent>(Agent, {
      async attestAgent(receive, _call, send) {
        const first = await receive();
        await send({ step: { case: 'challenge', value: new Uint8Array([first!.step.case === 'params' ? 1 : 0]) } });
        const second = await receive();
        await send({ step: { case: 'result', value: { reattestable: second!.step.case === 'challengeResponse' } } });
        if (await receive() !== undefined) throw new Error('too much');
      },
      renewAgent: () => ({}),
    });
    const { connect } = await serve({ seal: () => ({}) }, [agent]);
    const call = connect().stub(Agent).attestAgent();
    call.send({ step: { case: 'params', value: {} } });
    expect((await call.receive())?.step).toEqual({ case: 'challenge', value: new Uint8Array([1]) });
    call.send({ step: { case: 'challengeResponse', value: new Uint8Array() } });
    expect((await call.receive())?.step).toMatchObject({ case: 'result', value: { reattestable: true } });
    call.end();
    expect(await call.receive()).toBeUndefined();
  });

  it('stops within the grace, cutting calls that do not end', async () => {
    const { rpc, connect } = await serve({ seal: () => new Promise(() => undefined) });
    const stuck = connect().stub(Seal).seal({}).catch((error: unknown) => error as StepsealError);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await rpc.stop(20);
    expect((await stuck as StepsealError).kind).toBe('unavailable');
  });
});

describe('health and reflection', () => {
  it('checks, and watches changes', async () => {
    const health = createHealth();
    const { connect } = await serve({ seal: () => ({}) }, [health.implementation]);
    const stub = connect().stub(Health);
    expect((await stub.check({})).status).toBe(Status.SERVING);
    await expect(stub.check({ service: 'x' })).rejects.toMatchObject({ code: 'HEALTH_UNKNOWN' });
    const abort = new AbortController();
    const seen: Status[] = [];
    const watch = stub.watch({ service: 'x' }, ({ status }) => {
      seen.push(status);
      if (seen.length === 1) health.set('x', false);
      if (seen.length === 2) health.set('x', true);
      if (seen.length === 3) abort.abort();
    }, { signal: abort.signal });
    await expect(watch).rejects.toMatchObject({ code: 'CALL_CANCELLED' });
    expect(seen).toEqual([Status.SERVICE_UNKNOWN, Status.NOT_SERVING, Status.SERVING]);
  });

  it('lists services and hands out the files that describe them', async () => {
    const { connect } = await serve({ seal: () => ({}) }, [reflection([Seal])]);
    const call = connect().stub(ServerReflection).serverReflectionInfo();
    const ask = async (messageRequest: object) => {
      call.send({ messageRequest } as never);
      return (await call.receive())!.messageResponse;
    };
    expect((await ask({ case: 'listServices', value: '' })).value).toMatchObject({ service: [{ name: 'stepseal.seal.v1.Seal' }, { name: 'grpc.reflection.v1.ServerReflection' }] });
    for (const symbol of ['stepseal.seal.v1.Seal', 'stepseal.seal.v1.Seal.Seal', 'stepseal.seal.v1.Item']) {
      expect((await ask({ case: 'fileContainingSymbol', value: symbol })).case).toBe('fileDescriptorResponse');
    }
    expect((await ask({ case: 'fileByFilename', value: 'stepseal/seal.proto' })).case).toBe('fileDescriptorResponse');
    expect(await ask({ case: 'fileByFilename', value: 'nothing.proto' })).toMatchObject({ case: 'errorResponse', value: { errorCode: 5 } });
    call.end();
  });
});

describe('socket files', () => {
  const rpc = () => createRpcServer<undefined>({ services: [], onFault: () => undefined });
  const options = (path: string, mode = 0o600) => ({ path, mode, admit: () => undefined, onRefused: () => undefined });

  it('have the mode that was asked for', async () => {
    for (const mode of [0o600, 0o666]) {
      const path = join(folder, `${mode}.sock`);
      const listener = await serveUnix(rpc(), options(path, mode));
      ended.push(() => listener.close());
      expect(statSync(path).mode & 0o777).toBe(mode);
    }
  });

  it('are refused where the path is longer than 107 bytes, naming the limit', async () => {
    const path = join(folder, 'ü'.repeat(60));
    await expect(serveUnix(rpc(), options(path))).rejects.toMatchObject({ code: 'SOCKET_PATH_TOO_LONG', expected: 'at most 107 bytes' });
    const exact = join(folder, 'x'.repeat(107 - folder.length - 1));
    const listener = await serveUnix(rpc(), options(exact));
    ended.push(() => listener.close());
  });

  it('are replaced when nobody listens on them, and refused when somebody does', async () => {
    const path = join(folder, 'a.sock');
    const listener = await serveUnix(rpc(), options(path));
    ended.push(() => listener.close());
    await expect(serveUnix(rpc(), options(path))).rejects.toMatchObject({ code: 'SOCKET_IN_USE' });
    const stale = join(folder, 'stale.sock');
    const dead = createServer().listen(stale);
    await new Promise((resolve) => dead.once('listening', resolve));
    // the handle is closed without libuv's unlink: rename the file away and back
    const { renameSync } = await import('node:fs');
    renameSync(stale, `${stale}.kept`);
    await new Promise((resolve) => dead.close(resolve));
    renameSync(`${stale}.kept`, stale);
    const second = await serveUnix(rpc(), options(stale));
    ended.push(() => second.close());
  });

  it('never replace a file that is not a socket', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'x');
    await expect(serveUnix(rpc(), options(path))).rejects.toMatchObject({ code: 'SOCKET_PATH_TAKEN' });
  });
});
