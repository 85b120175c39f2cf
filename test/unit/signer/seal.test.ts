import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../../src/base/bytes.ts';
import { toHex } from '../../../src/base/hex.ts';
import { parseBundle } from '../../../src/envelope/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, pae } from '../../../src/envelope/dsse.ts';
import { parseHashedRekord } from '../../../src/envelope/hashedRekord.ts';
import { createPrehash } from '../../../src/keys/native.ts';
import { type SealRequest, SealResponseSchema } from '../../../src/rpc/gen/stepseal/node_pb.js';
import { possessionMessage } from '../../../src/signer/possession.ts';
import { type Content, seal, signedDigest } from '../../../src/signer/seal.ts';
import { seededRng } from '../../fakes/ca.ts';
import { issuingCa, selfSigned, signingLeaf } from '../trust/certificates.ts';

const NOW = Date.UTC(2026, 2, 4);
const ALICE = 'spiffe://example.org/local/user/alice';
const prehash = createPrehash();
const leaf = signingLeaf(ALICE, issuingCa('CA', selfSigned('Root')));
const CONTENTS: readonly Content[] = [
  { kind: 'artifact', name: 'a.tgz', sha256: sha256(utf8('a')) },
  { kind: 'statement', name: 'test', payload: utf8('{"_type":"x"}') },
];
const caller = { who: { case: 'workload' as const, value: { user: 'alice' } } };

/** Seals against a server that answers `items` items and says nothing of truth. */
async function sealed(items = CONTENTS.length, final?: boolean) {
  const sent: SealRequest[] = [];
  const answer = create(SealResponseSchema, {
    certificate: leaf.der, logId: new Uint8Array(32).fill(7), treeSize: 9n, rootHash: new Uint8Array(32), checkpoint: 'log\n9\n…',
    items: Array.from({ length: items }, (_, index) => ({ timestamp: Uint8Array.of(0x30, 0), logIndex: BigInt(index + 7), hashes: [new Uint8Array(32)] })),
  });
  const order = { caller, spiffeId: ALICE, contents: CONTENTS, ...(final !== undefined && { final }) };
  const submit = (request: SealRequest) => {
    sent.push(request);
    return Promise.resolve(answer);
  };
  return { results: await seal(order, { clock: { now: () => NOW }, rng: seededRng('seal'), prehash, submit }), request: sent[0]! };
}

describe('a Seal', () => {
  test('sends one key, its possession, and a signature over each digest', async () => {
    const { request } = await sealed();
    const digests = CONTENTS.map(signedDigest);
    expect(request).toMatchObject({ spiffeId: ALICE, timeMs: BigInt(NOW), final: false, requestId: expect.stringMatching(/^[0-9a-f]{32}$/) });
    const { publicKey, requestId } = request;
    expect(request.items.map(({ signature }, i) => prehash.verify(publicKey, 'sha256', digests[i]!, signature))).toEqual([true, true]);
    const message = possessionMessage({ spiffeId: ALICE, attempt: 'workload', requestId, time: NOW, publicKey, digests });
    expect(prehash.verify(publicKey, 'sha256', sha256(message), request.possession)).toBe(true);
  });

  test('of an artifact signs its digest, of a statement the PAE of its payload', () => {
    expect(CONTENTS.map(signedDigest).map(toHex)).toEqual([sha256(utf8('a')), sha256(pae(IN_TOTO_PAYLOAD_TYPE, utf8('{"_type":"x"}')))].map(toHex));
  });

  test('makes a bundle of each, with the entry that the log has for it', async () => {
    const { results } = await sealed();
    expect(results.map(({ name, logIndex }) => [name, logIndex])).toEqual([['a.tgz', 7], ['test', 8]]);
    for (const [index, { bundle }] of results.entries()) {
      const { tlogEntries, content, timestamps } = parseBundle(bundle);
      const entry = parseHashedRekord(tlogEntries[0]!.canonicalizedBody);
      expect([toHex(entry.digest), toHex(entry.certificate), toHex(entry.signature)]).toEqual([toHex(signedDigest(CONTENTS[index]!)), toHex(leaf.der), toHex(content.signature)]);
      expect(tlogEntries[0]).toMatchObject({ logIndex: index + 7, inclusionProof: { logIndex: index + 7, treeSize: 9 } });
      expect(timestamps).toHaveLength(1);
    }
  });

  test('has a key of its own each time', async () => {
    const [first, second] = [await sealed(), await sealed()];
    expect(toHex(first.request.publicKey)).not.toBe(toHex(second.request.publicKey));
  });

  test('says when it is the final one', async () => {
    expect((await sealed(2, true)).request.final).toBe(true);
  });

  test.each([0, 1, 3])('refuses an answer of %i items', async (items) => {
    await expect(sealed(items)).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  test('passes on why the server refused', async () => {
    const submit = () => Promise.reject(Object.assign(new Error('no'), { code: 'ATTEMPT_ENDED' }));
    await expect(seal({ caller, spiffeId: ALICE, contents: CONTENTS }, { clock: { now: () => NOW }, rng: seededRng('x'), prehash, submit })).rejects.toMatchObject({ code: 'ATTEMPT_ENDED' });
  });
});
