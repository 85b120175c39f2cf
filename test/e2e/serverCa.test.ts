import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { decodePem, encodePem } from '../../src/der/pem.ts';
import { parseTrustedRoot } from '../../src/envelope/trustedRoot.ts';
import { generateSigner } from '../../src/keys/signer.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { buildCsr } from '../../src/x509/csr.ts';
import { certificateEvidence } from '../../src/x509/evidence.ts';
import { fulcioValue } from '../../src/x509/fulcio.ts';
import { verifyCertificateChain } from '../../src/x509/path.ts';
import { embeddedScts, leafIndexOf, verifySct } from '../../src/x509/sct.ts';
import { certified, chainOf, entryRequest, keyOrder, outcomeOf, post } from '../fakes/publicClient.ts';
import { createRun, openAttempt, STEP } from '../fakes/serverRun.ts';
import { clientKey, PERSON, serverFolder, testServer, type TestServer } from '../fakes/testServer.ts';

const folder = serverFolder();
let server: TestServer;
beforeAll(async () => {
  server = await testServer(folder.path);
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

type Claims = NonNullable<Parameters<TestServer['mint']>[0]>;

const CERT = '/api/v2/signingCert';
const bytesAt = async (path: string): Promise<Uint8Array> => new Uint8Array(await (await server.http(path)).arrayBuffer());
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const order = async (body: unknown, token?: string): Promise<string> => outcomeOf(await post(server, CERT, body, token === undefined ? {} : bearer(token)));

describe('the CA', () => {
  test('certifies the subject of a token, with its chain, as Fulcio answers', async () => {
    const key = clientKey();
    const answer = await post(server, CERT, keyOrder(key), bearer(await server.mint()));
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['signedCertificateEmbeddedSct']]);
    const [leaf, intermediate, root] = chainOf(answer).map(parseCertificate);
    verifyCertificateChain({ leaf: leaf!, intermediates: [intermediate!], roots: [root!], time: server.clock.now(), purpose: 'signing', trustDomain: 'example.org' });
    expect(leaf!.subjectAltName).toMatchObject({ uris: [PERSON], critical: true });
    expect(toHex(leaf!.spki)).toBe(toHex(key.spki));
    expect([1, 8, 24].map((number) => fulcioValue(leaf!, number))).toEqual(['https://example.org', 'https://example.org', PERSON]);
    expect(certificateEvidence(leaf!)).toEqual({ custody: 'bearer' });
    expect(leaf!.notAfter - server.clock.now()).toBeLessThanOrEqual(600_000);
  });

  test('takes the token in the body and a certificate request in place of a key', async () => {
    const token = await server.mint();
    expect(await order({ ...keyOrder(clientKey()), credentials: { oidcIdentityToken: token } })).toBe('200');
    const key = clientKey();
    const csr = encodePem('CERTIFICATE REQUEST', await buildCsr(key.spki, 'spiffe://example.org/stepseal/provenance', key.sign));
    const answer = await post(server, CERT, { certificateSigningRequest: toBase64(utf8(csr)) }, bearer(token));
    expect(parseCertificate(chainOf(answer)[0]!).subjectAltName?.uris).toEqual([PERSON]);
  });

  test('certifies keys of other kinds', async () => {
    const key = clientKey('P-384');
    expect(parseCertificate((await certified(server, key))[0]!).publicKey.algorithm).toBe('ecdsa-p384');
    const { spki, sign } = generateSigner('ed25519');
    expect(await order(keyOrder({ spki, pkcs8: spki, sign: (data) => sign(data) as Uint8Array }), await server.mint())).toBe('200');
  });

  test.each<[string, Claims, string]>([
    ['for another audience', { aud: ['somebody'] }, '403 JWT_AUDIENCE'],
    ['of another issuer', { iss: 'https://other.example' }, '400 JWT_CLAIMS'],
    ['that has expired', { iat: Date.now() - 600_000, exp: Date.now() - 300_000 }, '403 JWT_EXPIRED'],
    ['of tomorrow', { iat: Date.now() + 86_400_000, exp: Date.now() + 86_700_000 }, '403 JWT_NOT_YET_VALID'],
    ['of another trust domain', { sub: 'spiffe://other.example/local/user/alice' }, '403 JWT_TRUST_DOMAIN'],
    ['of an agent', { sub: 'spiffe://example.org/spire/agent/join_token/x' }, '403 ROAD_NOT_ALLOWED'],
    ['of the provenance identity', { sub: 'spiffe://example.org/stepseal/provenance' }, '403 ROAD_NOT_ALLOWED'],
    ['of the server', { sub: 'spiffe://example.org/spire/server' }, '403 IDENTITY_NOT_ALLOWED'],
    ['of a name that no template gives', { sub: 'spiffe://example.org/whatever' }, '403 IDENTITY_NOT_ALLOWED'],
    ['of a step, without an attempt', { sub: STEP }, '403 ROAD_NOT_ALLOWED'],
    ['of a step, with an attempt that never was', { sub: STEP, claims: { stepseal_attempt: 'x' } }, '404 ATTEMPT_UNKNOWN'],
    ['with a key ID that is not ours', { kid: 'x' }, '403 JWT_KEY_UNKNOWN'],
    ['by another key', { signer: generateSigner('ecdsa-p256-sha256') }, '403 JWT_SIGNATURE'],
  ])('refuses a token %s', async (_, claims, outcome) => {
    expect(await order(keyOrder(clientKey(), claims.sub ?? PERSON), await server.mint(claims))).toBe(outcome);
  });

  test('refuses a step with an open attempt by the bearer road, which no template opens', async () => {
    const agent = await server.join();
    const { caller } = await openAttempt(agent, await createRun(server));
    const { svids } = await agent.node.issueJwtSvid({ caller, audience: ['sigstore'] });
    expect(await order(keyOrder(clientKey(), STEP), svids[0]!.token)).toBe('403 ROAD_NOT_ALLOWED');
  });

  test('refuses a proof of possession by another key, or over another subject', async () => {
    const [key, token] = [clientKey(), await server.mint()];
    const good = keyOrder(key);
    const byOther = { publicKeyRequest: { ...good.publicKeyRequest, proofOfPossession: keyOrder(clientKey()).publicKeyRequest.proofOfPossession } };
    expect(await order(byOther, token)).toBe('403 POSSESSION_INVALID');
    expect(await order(keyOrder(key, 'spiffe://example.org/local/user/bob'), token)).toBe('403 POSSESSION_INVALID');
    expect(await order(good, token)).toBe('200');
  });

  test('refuses a key that another identity has had certified, and takes it again from its own', async () => {
    const key = clientKey();
    await certified(server, key);
    expect(await order(keyOrder(key), await server.mint())).toBe('200');
    const bob = 'spiffe://example.org/local/user/bob';
    expect(await order(keyOrder(key, bob), await server.mint({ sub: bob }))).toBe('409 KEY_ALREADY_CERTIFIED');
  });

  test('refuses a signature from the log as a proof of possession: the key has its identity', async () => {
    const key = clientKey();
    const [leaf] = await certified(server, key);
    // alice signs an artifact that happens to be bob's name; the signature is public then
    const bob = 'spiffe://example.org/local/user/bob';
    const entry = entryRequest(key, leaf!, bob);
    expect(outcomeOf(await post(server, '/api/v2/log/entries', entry))).toBe('201');
    const proofOfPossession = entry.hashedRekordRequestV002['signature']!['content'];
    const { publicKeyRequest } = keyOrder(key);
    expect(await order({ publicKeyRequest: { ...publicKeyRequest, proofOfPossession } }, await server.mint({ sub: bob }))).toBe('409 KEY_ALREADY_CERTIFIED');
  });

  test('refuses orders that are not as they should be', async () => {
    const token = await server.mint();
    const { publicKeyRequest } = keyOrder(clientKey());
    const key = clientKey();
    const csr = toBase64(utf8(encodePem('CERTIFICATE REQUEST', await buildCsr(key.spki, undefined, key.sign))));
    const broken = toBase64(utf8(encodePem('CERTIFICATE REQUEST', Uint8Array.of(0x30, 0))));
    const cases: [unknown, string][] = [
      ['', '400 JSON_INVALID'],
      ['{"publicKeyRequest":{},"publicKeyRequest":{}}', '400 JSON_DUPLICATE_KEY'],
      [[], '400 FULCIO_REQUEST_INVALID'],
      [{}, '400 FULCIO_REQUEST_INVALID'],
      [{ publicKeyRequest, extra: 1 }, '400 FULCIO_REQUEST_INVALID'],
      [{ publicKeyRequest, certificateSigningRequest: csr }, '400 FULCIO_REQUEST_INVALID'],
      [{ certificateSigningRequest: broken }, '400 CSR_INVALID'],
      [{ certificateSigningRequest: 'not base64' }, '400 BASE64_NONCANONICAL'],
      [{ publicKeyRequest: { ...publicKeyRequest, publicKey: { content: 'no PEM' } } }, '400 PEM_INVALID'],
      [{ publicKeyRequest: { ...publicKeyRequest, publicKey: { content: encodePem('PUBLIC KEY', Uint8Array.of(1)) } } }, '400 DER_INVALID'],
      [{ publicKeyRequest: { ...publicKeyRequest, proofOfPossession: '' } }, '403 POSSESSION_INVALID'],
      [{ publicKeyRequest, credentials: { oidcIdentityToken: 'another' } }, '400 FULCIO_REQUEST_INVALID'],
    ];
    for (const [body, outcome] of cases) expect([body, await order(body, token)]).toEqual([body, outcome]);
  });

  test('refuses a missing or malformed token, and does not repeat it', async () => {
    const body = keyOrder(clientKey());
    const secret = 'eyJzZWNyZXQiOjF9';
    expect(await order(body)).toBe('400 FULCIO_REQUEST_INVALID');
    for (const credentials of [secret, { oidcIdentityToken: [secret] }, { token: secret }]) {
      const answer = await post(server, CERT, { ...body, credentials });
      expect(outcomeOf(answer)).toBe('400 FULCIO_REQUEST_INVALID');
      expect(JSON.stringify(answer.body)).not.toContain(secret);
    }
    expect(outcomeOf(await post(server, CERT, body, { authorization: `Basic ${secret}` }))).toBe('400 FULCIO_REQUEST_INVALID');
    expect(await order(body, 'x.y')).toBe('400 JWT_MALFORMED');
    expect(server.logged.join('')).not.toContain(secret);
  });

  test('puts each certificate into the CT log before it answers', async () => {
    const [leafDer, intermediate] = await certified(server);
    const leaf = parseCertificate(leafDer!);
    const [sct] = embeddedScts(leaf);
    const { ctlogs } = parseTrustedRoot(await bytesAt('/trusted_root.json'));
    const { publicKey, baseUrl, validFor } = ctlogs[0]!;
    verifySct(leaf, parseCertificate(intermediate!).spki, [{ spki: publicKey, validFor }]);
    const checkpoint = await (await server.http('/ct/checkpoint')).text();
    const [origin, size] = checkpoint.split('\n');
    expect(`https://${origin}`).toBe(baseUrl);
    expect(Number(size)).toBeGreaterThan(leafIndexOf(sct!)!);
    const fingerprint = toHex(sha256(intermediate!));
    expect(toHex(await bytesAt(`/ct/issuer/${fingerprint}`))).toBe(toHex(intermediate!));
    expect((await server.http(`/ct/issuer/${'0'.repeat(64)}`)).status).toBe(404);
  });

  test('tells its chains and its issuer', async () => {
    const { chains } = (await (await server.http('/api/v2/trustBundle')).json()) as { chains: { certificates: string[] }[] };
    expect(chains[0]!.certificates.map((pem) => parseCertificate(decodePem(pem, 'CERTIFICATE')[0]!).basicConstraints?.ca)).toEqual([true, true]);
    expect(await (await server.http('/api/v2/configuration')).json()).toEqual({
      issuers: [{ issuerUrl: 'https://example.org', audience: 'sigstore', challengeClaim: 'sub', spiffeTrustDomain: 'example.org', issuerType: 'spiffe' }],
    });
  });
});
