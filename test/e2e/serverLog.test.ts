import { createHash } from 'node:crypto';
import { get } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { issueSigningCertificate } from '../../src/ca/signing.ts';
import { parseHashedRekord } from '../../src/envelope/hashedRekord.ts';
import { generateSigner } from '../../src/keys/signer.ts';
import { systemClock, systemRng } from '../../src/keys/system.ts';
import { splitBundle } from '../../src/merkle/bundle.ts';
import { openCheckpoint } from '../../src/merkle/checkpoint.ts';
import { leafHash } from '../../src/merkle/hash.ts';
import { appendLeaf, EMPTY_RANGE, rangeRoot } from '../../src/merkle/range.ts';
import { verifyInclusion } from '../../src/merkle/verify.ts';
import type { TrustedLog } from '../../src/verifier/trust.ts';
import { testCa } from '../fakes/ca.ts';
import { type Answer, certified, entryRequest, type Json, outcomeOf, post } from '../fakes/publicClient.ts';
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

const ENTRIES = '/api/v2/log/entries';
const bytesAt = async (path: string): Promise<Uint8Array> => new Uint8Array(await (await server.http(path)).arrayBuffer());

describe('the log', () => {
  const provenSize = (body: Json): number => Number(body['inclusionProof']!['treeSize']);

  function verifyEntry({ body }: Answer): { index: number; size: number; root: string } {
    const proof = body['inclusionProof'] as unknown as { logIndex: string; treeSize: string; rootHash: string; hashes: string[]; checkpoint: { envelope: string } };
    const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
    verifyInclusion({
      index: Number(proof.logIndex), size: Number(proof.treeSize), leafHash: leafHash(bytes(body['canonicalizedBody'] as unknown as string)),
      proof: proof.hashes.map(bytes), root: bytes(proof.rootHash),
    });
    expect(proof.checkpoint.envelope.split('\n').slice(1, 3)).toEqual([proof.treeSize, proof.rootHash]);
    return { index: Number(proof.logIndex), size: Number(proof.treeSize), root: proof.rootHash };
  }

  test('answers an entry with its proof under a signed checkpoint, as Rekor v2 does', async () => {
    const key = clientKey();
    const [leaf] = await certified(server, key);
    const answer = await post(server, ENTRIES, entryRequest(key, leaf!, 'one'));
    expect(answer.status).toBe(201);
    const { logIndex, logId, kindVersion, integratedTime, canonicalizedBody } = answer.body as unknown as Record<string, string>;
    const [{ key: log }] = [...server.trust.logs.values()] as [TrustedLog];
    expect({ logId, kindVersion, integratedTime }).toEqual({ logId: { keyId: toBase64(log.keyId) }, kindVersion: { kind: 'hashedrekord', version: '0.0.2' }, integratedTime: '0' });
    expect(toHex(parseHashedRekord(Buffer.from(canonicalizedBody!, 'base64')).certificate)).toBe(toHex(leaf!));
    expect(`${verifyEntry(answer).index}`).toBe(logIndex);
    const { envelope } = (answer.body as unknown as { inclusionProof: { checkpoint: { envelope: string } } }).inclusionProof.checkpoint;
    expect(openCheckpoint(envelope, log).size).toBe(provenSize(answer.body));
  });

  test('answers an entry that is there already with the original and a fresh proof', async () => {
    const key = clientKey();
    const [leaf] = await certified(server, key);
    const first = await post(server, ENTRIES, entryRequest(key, leaf!, 'twice'));
    const request = entryRequest(key, leaf!, 'twice');
    // ECDSA signatures differ each time: the same entry is the same bytes
    request.hashedRekordRequestV002['signature']!['content'] = JSON.parse(Buffer.from(first.body['canonicalizedBody'] as unknown as string, 'base64').toString()).spec.hashedRekordV002.signature.content;
    await post(server, ENTRIES, entryRequest(key, leaf!, 'between'));
    const again = await post(server, ENTRIES, request);
    expect(again.status).toBe(201);
    expect(verifyEntry(again).index).toBe(verifyEntry(first).index);
    expect(verifyEntry(again).size).toBeGreaterThan(verifyEntry(first).size);
  });

  test('serves checkpoint and tiles below both prefixes, from which every entry and the growth can be checked', async () => {
    const key = clientKey();
    const [leaf] = await certified(server, key);
    const before = verifyEntry(await post(server, ENTRIES, entryRequest(key, leaf!, 'before tiles')));
    const answer = await post(server, ENTRIES, entryRequest(key, leaf!, 'tiles'));
    const { index, size, root } = verifyEntry(answer);
    for (const prefix of ['', '/api/v2']) {
      const checkpoint = await server.http(`${prefix}/checkpoint`);
      expect([checkpoint.status, checkpoint.headers.get('content-type'), checkpoint.headers.get('cache-control')]).toEqual([200, 'text/plain; charset=utf-8', 'no-cache']);
      const entries = await server.http(`${prefix}/tile/entries/000.p/${size}`);
      expect(entries.headers.get('cache-control')).toContain('immutable');
      const bodies = splitBundle(new Uint8Array(await entries.arrayBuffer()));
      expect(Buffer.from(bodies[index]!).toString('base64')).toBe(answer.body['canonicalizedBody']);
      const hashes = await bytesAt(`${prefix}/tile/0/000.p/${size}`);
      expect(bodies.map((body, i) => toHex(leafHash(body)) === toHex(hashes.subarray(32 * i, 32 * i + 32)))).toEqual(Array(size).fill(true));
      // the tree of now is the one of before with more leaves
      const rootOf = (count: number): string => toBase64(rangeRoot(bodies.slice(0, count).map(leafHash).reduce(appendLeaf, EMPTY_RANGE)));
      expect([rootOf(before.size), rootOf(size)]).toEqual([before.root, root]);
    }
  });

  test.each(['/tile/0/001', '/tile/0/000.p/255', '/tile/0/0', '/tile/entries/000.p/0', '/tile/9/000', '/tile/../keys/log.key', '//checkpoint', '/tile/0/%30%30%30', '/ct/tile/entries/000', '/tile/'])(
    'has nothing at %s', async (path) => {
      // as it stands: fetch would tidy the path
      const { port } = new URL(server.httpUrl);
      const status = await new Promise((resolve) => void get({ host: '127.0.0.1', port, path, agent: false }, (response) => resolve(response.resume().statusCode)));
      expect(status).toBe(404);
    });

  test('takes signatures by the curve\'s own hash, and no Ed25519, of which it cannot check a hash', async () => {
    const key = clientKey('P-384');
    const [leaf] = await certified(server, key);
    const submit = async (digest: Uint8Array, signature: Uint8Array, certificate: Uint8Array, keyDetails: string): Promise<string> =>
      outcomeOf(await post(server, ENTRIES, {
        hashedRekordRequestV002: { digest: toBase64(digest), signature: { content: toBase64(signature), verifier: { x509Certificate: { rawBytes: toBase64(certificate) }, keyDetails } } },
      }));
    const sha384 = createHash('sha384').update('p384').digest();
    expect(await submit(sha384, key.sign(utf8('p384')), leaf!, 'PKIX_ECDSA_P384_SHA_384')).toBe('201');
    expect(await submit(sha256(utf8('p384')), key.sign(utf8('p384')), leaf!, 'PKIX_ECDSA_P384_SHA_384')).toBe('400 LOG_REQUEST_INVALID');
    const edwards = generateSigner('ed25519');
    const [other] = await certified(server, { spki: edwards.spki, pkcs8: edwards.spki, sign: (data) => edwards.sign(data) as Uint8Array });
    const sha512 = createHash('sha512').update('ed').digest();
    expect(await submit(sha512, edwards.sign(sha512) as Uint8Array, other!, 'PKIX_ED25519_PH')).toBe('422 ALG_NOT_ALLOWED');
  });

  test('refuses what it cannot stand for', async () => {
    const key = clientKey();
    const [leaf, intermediate] = await certified(server, key);
    const foreignCa = await testCa({ trustDomain: 'example.org', clock: systemClock, rng: systemRng });
    const foreign = await issueSigningCertificate(foreignCa.signing, { spiffeId: PERSON, spki: key.spki, evidence: { custody: 'seal' } });
    const submit = async (request: unknown): Promise<string> => outcomeOf(await post(server, ENTRIES, request));
    const changed = (path: readonly string[], value: unknown): unknown => {
      const copy = entryRequest(key, leaf!, 'a');
      const last = path.at(-1)!;
      (path.slice(0, -1).reduce((json, name) => json[name]!, copy as unknown as Json) as Record<string, unknown>)[last] = value;
      return copy;
    };
    const SIGNATURE = ['hashedRekordRequestV002', 'signature'];
    const { size } = verifyEntry(await post(server, ENTRIES, entryRequest(key, leaf!, 'before')));
    const cases: [string, unknown, string][] = [
      ['a foreign certificate', entryRequest(key, foreign.der, 'a'), '422 CHAIN_UNTRUSTED'],
      ['an issuer\'s certificate', entryRequest(key, intermediate!, 'a'), '422 LEAF_IS_CA'],
      ['a certificate that is none', entryRequest(key, Uint8Array.of(1, 2), 'a'), '400 DER_INVALID'],
      ['another key\'s signature', changed([...SIGNATURE, 'content'], toBase64(clientKey().sign(utf8('a')))), '422 SIG_INVALID'],
      ['another digest', changed(['hashedRekordRequestV002', 'digest'], toBase64(sha256(utf8('b')))), '422 SIG_INVALID'],
      ['key details of another key', changed([...SIGNATURE, 'verifier', 'keyDetails'], 'PKIX_RSA_PKCS1V15_2048_SHA256'), '400 LOG_REQUEST_INVALID'],
      ['key details without a name', changed([...SIGNATURE, 'verifier', 'keyDetails'], 'X'), '400 LOG_REQUEST_INVALID'],
      ['a bare key', changed([...SIGNATURE, 'verifier'], { publicKey: { rawBytes: toBase64(key.spki) }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }), '400 LOG_REQUEST_INVALID'],
      ['an envelope', { dsseRequestV002: {} }, '400 LOG_REQUEST_INVALID'],
      ['twice the same name', '{"hashedRekordRequestV002":{},"hashedRekordRequestV002":{}}', '400 JSON_DUPLICATE_KEY'],
      ['no JSON', 'x', '400 JSON_INVALID'],
    ];
    for (const [name, request, outcome] of cases) expect([name, await submit(request)]).toEqual([name, outcome]);
    expect(verifyEntry(await post(server, ENTRIES, entryRequest(key, leaf!, 'after'))).size).toBe(size + 1);
  });

  test('refuses a certificate after its ten minutes', async () => {
    const key = clientKey();
    const [leaf] = await certified(server, key);
    server.clock.move(601_000);
    try {
      expect(outcomeOf(await post(server, ENTRIES, entryRequest(key, leaf!, 'late')))).toBe('422 CHAIN_EXPIRED');
    } finally {
      server.clock.move(-601_000);
    }
  });
});
