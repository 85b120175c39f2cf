import { generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '../../src/base/bytes.ts';
import type { Prehash } from '../../src/base/ports.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { loadKey } from '../../src/keys/signer.ts';
import { systemRng } from '../../src/keys/system.ts';
import { connectTls, connectUnix, type Connection, type Stub } from '../../src/rpc/client.ts';
import { Agent } from '../../src/rpc/gen/spire/api/server/agent/v1/agent_pb.js';
import { Admin } from '../../src/rpc/gen/stepseal/admin_pb.js';
import { Node } from '../../src/rpc/gen/stepseal/node_pb.js';
import { Seal } from '../../src/rpc/gen/stepseal/seal_pb.js';
import type { TlsIdentity } from '../../src/rpc/tls.ts';
import type { ServerOptions } from '../../src/server/options.ts';
import { type RunningServer, startServer } from '../../src/server/serve.ts';
import { parseSpiffeBundle } from '../../src/spiffe/bundleDocument.ts';
import { jwkThumbprint } from '../../src/spiffe/jwk.ts';
import { signJwtSvid } from '../../src/spiffe/jwtSvid.ts';
import { loadTrust, type TrustMaterial } from '../../src/verifier/trust.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { buildCsr } from '../../src/x509/csr.ts';
import { verifyCertificateChain } from '../../src/x509/path.ts';

/** A P-256 key as a client holds it. */
export interface ClientKey {
  readonly spki: Uint8Array;
  readonly pkcs8: Uint8Array;
  /** over SHA-256, DER */
  readonly sign: (data: Uint8Array) => Uint8Array;
}

export function clientKey(namedCurve: 'P-256' | 'P-384' = 'P-256'): ClientKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
  return {
    spki: publicKey.export({ type: 'spki', format: 'der' }),
    pkcs8: privateKey.export({ type: 'pkcs8', format: 'der' }),
    sign: (data) => nodeSign(namedCurve === 'P-256' ? 'sha256' : 'sha384', data, privateKey),
  };
}

/** An agent by hand: what it holds and the services that it may call. */
export interface TestAgent {
  readonly id: string;
  readonly identity: TlsIdentity;
  readonly key: ClientKey;
  readonly connection: Connection;
  readonly node: Stub<typeof Node>;
  readonly agent: Stub<typeof Agent>;
}

export interface TestServer extends RunningServer {
  readonly data: string;
  readonly trust: TrustMaterial;
  readonly roots: readonly Uint8Array[];
  readonly prehash: Prehash;
  readonly clock: { now(): number; /** ms, into the future or the past */ move(by: number): void };
  /** what the server logged, as text */
  readonly logged: string[];
  readonly admin: Stub<typeof Admin>;
  readonly adminSeal: Stub<typeof Seal>;
  /** mTLS with this identity, or with none; the server's own is checked */
  connect(identity?: TlsIdentity): Connection;
  joinToken(): Promise<string>;
  attest(token: string | Uint8Array, over?: { readonly csr?: Uint8Array; readonly type?: string }): Promise<{ readonly id: string; readonly chain: Uint8Array[]; readonly key: ClientKey }>;
  join(): Promise<TestAgent>;
  /** a JWT-SVID by the server's key, which nobody asked the server for */
  mint(over?: Partial<Parameters<typeof signJwtSvid>[0]>): Promise<string>;
  /** POST or GET on the HTTP port */
  http(path: string, init?: RequestInit): Promise<Response>;
}

export const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
export const PERSON = 'spiffe://example.org/local/user/alice';

/** A folder for servers, short enough for sockets. */
export function serverFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'stepseal-s-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The real server in this process, on free ports and real sockets, with a clock that can be moved (`ahead`: where it begins, in ms from this machine's). `stop` closes clients too. */
export async function testServer(data: string, over: Partial<ServerOptions> = {}, ahead = 0): Promise<TestServer> {
  const clock = { now: () => Date.now() + ahead, move: (by: number) => void (ahead += by) };
  const logged: string[] = [];
  const keep = (fields: object, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const running = await startServer({ data, host: '127.0.0.1', httpPort: 0, grpcPort: 0, ...over }, {
    clock, rng: systemRng, version: '0.0.0-test', log: { info: keep, warn: keep, error: keep },
  });
  const connections: Connection[] = [];
  const opened = (connection: Connection): Connection => {
    connections.push(connection);
    return connection;
  };
  const socket = opened(connectUnix(running.adminSocket));
  const admin = socket.stub(Admin);
  const { trustedRoot, spiffeBundle } = await admin.getTrust({});
  const roots = parseSpiffeBundle(spiffeBundle, running.trustDomain).x509Authorities;
  const [host, port] = running.grpcAddress.split(':') as [string, string];

  const connect = (identity?: TlsIdentity): Connection => opened(connectTls({
    host, port: Number(port), identity, roots,
    verifyServer: (chain) => {
      const [leaf, ...intermediates] = chain.map(parseCertificate);
      verifyCertificateChain({ leaf: leaf!, intermediates, roots: roots.map(parseCertificate), time: Date.now(), purpose: 'svid', trustDomain: running.trustDomain });
      if (leaf!.subjectAltName?.uris[0] !== `spiffe://${running.trustDomain}/spire/server`) throw new Error('not the server');
    },
  }));
  const joinToken = async (): Promise<string> => (await admin.createJoinToken({})).token;
  const attest: TestServer['attest'] = async (token, { csr, type = 'join_token' } = {}) => {
    const key = clientKey();
    const stream = connect().stub(Agent).attestAgent();
    const payload = typeof token === 'string' ? utf8(token) : token;
    stream.send({ step: { case: 'params', value: { data: { type, payload }, params: { csr: csr ?? (await buildCsr(key.spki, undefined, key.sign)) } } } });
    const answer = await stream.receive();
    stream.end();
    if (answer?.step.case !== 'result') throw new Error('no result');
    const { id, certChain } = answer.step.value.svid!;
    return { id: `spiffe://${id!.trustDomain}${id!.path}`, chain: certChain, key };
  };

  return {
    ...running, data, roots, clock, logged, admin, connect, joinToken, attest,
    adminSeal: socket.stub(Seal),
    trust: loadTrust(trustedRoot),
    prehash: createPrehash(),
    async join() {
      const { id, chain, key } = await attest(await joinToken());
      const identity = { chain, key: key.pkcs8 };
      const connection = connect(identity);
      return { id, identity, key, connection, node: connection.stub(Node), agent: connection.stub(Agent) };
    },
    async mint(claims = {}) {
      const signer = (await loadKey(join(data, 'keys', 'jwt.key'), 'ecdsa-p256-sha256'))!;
      const now = clock.now();
      return signJwtSvid({ signer, kid: jwkThumbprint(signer.spki), sub: PERSON, aud: ['sigstore'], iss: running.issuer, iat: now, exp: now + 300_000, ...claims });
    },
    http: (path, init) => fetch(running.httpUrl + path, init),
    async stop() {
      for (const connection of connections) connection.close();
      await running.stop();
    },
  };
}

/** The code of what a call throws; fails the test when it throws nothing. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code ?? message;
  }
  return 'nothing was thrown';
}
