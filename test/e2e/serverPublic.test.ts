import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { decodePem } from '../../src/der/pem.ts';
import { parseSpiffeBundle } from '../../src/spiffe/bundleDocument.ts';
import { TSA_POLICY } from '../../src/tsa/authority.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { imprintOf } from '../../src/x509/imprint.ts';
import { verifyCertificateChain } from '../../src/x509/path.ts';
import { parseTimestampResponse } from '../../src/x509/timestamp.ts';
import { buildTimestampRequest } from '../../src/x509/timestampRequest.ts';
import { type Json, keyOrder, outcomeOf, post } from '../fakes/publicClient.ts';
import { clientKey, serverFolder, testServer, type TestServer } from '../fakes/testServer.ts';

const folder = serverFolder();
let server: TestServer;
beforeAll(async () => {
  server = await testServer(folder.path);
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

const CERT = '/api/v2/signingCert';
const ENTRIES = '/api/v2/log/entries';
const bytesAt = async (path: string): Promise<Uint8Array> => new Uint8Array(await (await server.http(path)).arrayBuffer());
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const order = async (body: unknown, token?: string): Promise<string> => outcomeOf(await post(server, CERT, body, token === undefined ? {} : bearer(token)));

describe('the timestamp authority', () => {
  const stamp = async (body: string | Uint8Array, type: string): Promise<Response> =>
    server.http('/api/v1/timestamp', { method: 'POST', headers: { 'content-type': type }, body: typeof body === 'string' ? body : Buffer.from(body) });
  const digest = sha256(utf8('a signature'));

  test('stamps a DER request and the JSON form, and embeds its certificate where it is asked to', async () => {
    const der = buildTimestampRequest({ imprint: imprintOf('sha256', digest), certReq: true, nonce: Uint8Array.of(7) });
    const json = JSON.stringify({ artifactHash: toBase64(digest), hashAlgorithm: 'sha256', certificates: false, nonce: 7 });
    for (const [body, type, certificates] of [[der, 'application/timestamp-query', 1], [json, 'application/json; charset=utf-8', 0]] as const) {
      const response = await stamp(body, type);
      expect([response.status, response.headers.get('content-type')]).toEqual([201, 'application/timestamp-reply']);
      const reply = parseTimestampResponse(new Uint8Array(await response.arrayBuffer()));
      expect(reply).toMatchObject({ policy: TSA_POLICY });
      expect(toHex(reply.imprint.digest)).toBe(toHex(digest));
      expect(toHex(reply.nonce!)).toBe('07');
      expect(reply.certificates).toHaveLength(certificates);
      expect(Math.abs(reply.genTime - server.clock.now())).toBeLessThan(5_000);
    }
  });

  test('refuses with a reply of status rejection', async () => {
    for (const [body, type] of [['{}', 'application/json'], ['x', 'application/timestamp-query'], ['', 'application/timestamp-query']] as const) {
      const response = await stamp(body, type);
      expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/timestamp-reply']);
      const reply = Buffer.from(await response.arrayBuffer());
      expect(() => parseTimestampResponse(reply)).toThrow(expect.objectContaining({ code: 'TIMESTAMP_INVALID' }));
    }
    expect(((await (await stamp('x', 'text/plain')).json()) as Json)['error']).toMatchObject({ code: 'HTTP_CONTENT_TYPE' });
  });

  test('does not stamp with a clock that has gone back', async () => {
    const request = buildTimestampRequest({ imprint: imprintOf('sha256', digest), certReq: false });
    server.clock.move(120_000);
    expect((await stamp(request, 'application/timestamp-query')).status).toBe(201);
    server.clock.move(-60_000);
    expect((await stamp(request, 'application/timestamp-query')).status).toBe(400);
    // the CA does not mind
    expect(await order(keyOrder(clientKey()), await server.mint())).toBe('200');
    server.clock.move(-60_000);
  });

  test('gives its chain, leaf first', async () => {
    const response = await server.http('/api/v1/timestamp/certchain');
    expect(response.headers.get('content-type')).toBe('application/pem-certificate-chain');
    const [leaf, root] = decodePem(await response.text(), 'CERTIFICATE').map(parseCertificate);
    verifyCertificateChain({ leaf: leaf!, intermediates: [], roots: [root!], time: server.clock.now(), purpose: 'timestamping' });
  });
});

describe('trust material', () => {
  test('OIDC discovery names the issuer and the keys that tokens verify with', async () => {
    const discovery = (await (await server.http('/.well-known/openid-configuration')).json()) as Json;
    expect(discovery).toMatchObject({ issuer: 'https://example.org', jwks_uri: 'https://example.org/keys', id_token_signing_alg_values_supported: ['ES256'] });
    const { keys } = (await (await server.http('/keys')).json()) as { keys: { kid: string }[] };
    const [header] = (await server.mint()).split('.');
    expect(keys.map(({ kid }) => kid)).toEqual([JSON.parse(Buffer.from(header!, 'base64url').toString()).kid]);
  });

  test('the SPIFFE bundle holds X.509 and JWT keys and no signing root', async () => {
    const bundle = parseSpiffeBundle(await bytesAt('/spiffe/bundle'), 'example.org');
    expect(bundle.x509Authorities.map(toHex)).toEqual(server.roots.map(toHex));
    expect(bundle).toMatchObject({ sequence: 1, refreshHint: 300 });
  });

  test('trusted root and signing config are the ones that the admin socket gives; addresses stand in the latter only', async () => {
    const { trustedRoot, signingConfig } = await server.admin.getTrust({});
    expect(await (await server.http('/trusted_root.json')).text()).toBe(Buffer.from(trustedRoot).toString());
    const config = await (await server.http('/signing_config.json')).text();
    expect(config).toBe(Buffer.from(signingConfig).toString());
    expect(config).toContain(`${server.httpUrl}/api/v1/timestamp`);
    expect(Buffer.from(trustedRoot).toString()).not.toContain('localhost');
  });

  test('health answers while the CA can work', async () => {
    expect(await (await server.http('/healthz')).text()).toBe('ok\n');
    server.clock.move(400 * 86_400_000);
    expect(((await (await server.http('/healthz')).json()) as Json)['error']).toMatchObject({ code: 'CA_EXPIRED' });
    server.clock.move(-400 * 86_400_000);
  });

  test('nothing is served elsewhere', async () => {
    const answer = await server.http('/nothing');
    expect([answer.status, await answer.json()]).toMatchObject([404, { code: 5 }]);
    expect((await server.http('/healthz', { method: 'POST' })).status).toBe(404);
    expect((await server.http(ENTRIES)).status).toBe(404);
  });
});

describe('limits', () => {
  test.each([[CERT, 64], [ENTRIES, 128], ['/api/v1/timestamp', 16]])('%s takes at most %i KiB', async (path, kib) => {
    const response = await server.http(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: 'x'.repeat(kib * 1024 + 1) });
    expect([response.status, ((await response.json()) as { error: { code: string } }).error.code]).toEqual([413, 'BODY_TOO_LARGE']);
  });

  test('a body without an announced length is cut off at the limit', async () => {
    const { port } = new URL(server.httpUrl);
    const socket = connect(Number(port), '127.0.0.1');
    const answer = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    socket.on('error', () => undefined);
    socket.write(`POST ${CERT} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
    for (let i = 0; i < 5; i++) socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`);
    expect(await answer).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });
});
