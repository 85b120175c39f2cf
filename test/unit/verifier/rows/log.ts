import { toBase64 } from '../../../../src/base/base64.ts';
import { sha256, utf8 } from '../../../../src/base/bytes.ts';
import type { Code } from '../../../../src/base/errors.ts';
import { encodeHashedRekord, type HashedRekord } from '../../../../src/envelope/hashedRekord.ts';
import type { TlogEntry } from '../../../../src/envelope/tlogEntry.ts';
import type { Link, Verdict } from '../../../../src/verifier/verdict.ts';
import { verifyBundle } from '../../../../src/verifier/bundle.ts';
import { parseIdentityPattern } from '../../../../src/spiffe/pattern.ts';
import { seededSigner } from '../../../fakes/seeded.ts';
import { checkpointOf, log, seal, START, treeOf, type Universe } from '../../../fakes/universe.ts';
import { ARTIFACT, BUILD, type BundleAttack, bundleVerdict, contextOf, type TamperRow } from './row.ts';

type Entry = TlogEntry;

function row(id: string, name: string, code: Code | 'ok', link: Link, attack: BundleAttack | ((universe: Universe) => BundleAttack | Promise<BundleAttack>)): TamperRow {
  return {
    id, name, code, link,
    attack: async (universe) => {
      // a tree of one leaf has no proof to tamper with
      for (let index = 0; index < 5; index++) universe.leaves.push(utf8(`earlier entry ${index}`));
      return bundleVerdict(universe, typeof attack === 'function' ? await attack(universe) : attack);
    },
  };
}

const entry = (change: (entry: Entry) => Entry | Promise<Entry>): BundleAttack => ({
  seal: { finish: async (bundle) => ({ ...bundle, tlogEntries: [await change(bundle.tlogEntries[0]!)] }) },
});
const proof = (change: (proof: Entry['inclusionProof']) => Partial<Entry['inclusionProof']>): BundleAttack =>
  entry((whole) => ({ ...whole, inclusionProof: { ...whole.inclusionProof, ...change(whole.inclusionProof) } }));
const checkpoint = (change: (text: string) => string): BundleAttack => proof((own) => ({ checkpoint: change(own.checkpoint) }));
const json = (change: (entry: any) => void): BundleAttack => ({ json: (bundle) => change(bundle.verificationMaterial.tlogEntries[0]) });

/** The log holds, with a correct proof, an entry that differs from the bundle in one field. */
const logged = (change: (entry: HashedRekord) => Partial<HashedRekord>) => (universe: Universe): BundleAttack => ({
  seal: {
    finish: async (bundle) => {
      const { certificate, content } = bundle;
      const own: HashedRekord = { certificate, signature: content.signature, digest: sha256(ARTIFACT), keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
      return { ...bundle, tlogEntries: [await log(universe, encodeHashedRekord({ ...own, ...change(own) }))] };
    },
  },
});

/** Verifies a good bundle by somebody who remembers an earlier checkpoint. */
async function remembering(universe: Universe, root: (size: number) => Uint8Array, consistency: 'proof' | 'none'): Promise<Verdict> {
  for (let index = 0; index < 5; index++) universe.leaves.push(utf8(`earlier entry ${index}`));
  const bundle = await seal(universe, { artifact: ARTIFACT }, { identity: BUILD });
  const whole = [...universe.leaves];
  const known = {
    checkpoint: { origin: universe.origin, size: 4, root: root(4) },
    consistency: (older: number, newer: number) => (consistency === 'none' ? undefined : treeOf(whole.slice(0, newer)).consistency(older)),
  };
  return verifyBundle(bundle, { identity: parseIdentityPattern(BUILD) }, { ...contextOf(universe), known: [known] });
}

export const LOG_ROWS: readonly TamperRow[] = [
  row('X', 'an entry in a tree of several', 'ok', 'inclusion', {}),
  row('T70', 'a hash of the proof is corrupt', 'TLOG_PROOF', 'inclusion', proof(({ hashes }) => ({ hashes: hashes.map((hash, index) => (index === 0 ? sha256(hash) : hash)) }))),
  row('T70', 'the proof is empty', 'TLOG_PROOF', 'inclusion', proof(() => ({ hashes: [] }))),
  row('T70', 'the proof has one hash too many', 'TLOG_PROOF', 'inclusion', proof(({ hashes }) => ({ hashes: [...hashes, sha256()] }))),
  row('T70', 'the proof is missing', 'TLOG_PROOF', 'format', json((own) => void delete own.inclusionProof)),
  row('T70', 'the proof is of another entry', 'TLOG_PROOF', 'inclusion', (universe) => proof(() => ({ hashes: treeOf(universe.leaves).inclusion(1) }))),
  row('T70', 'the proof is of another size of the tree', 'TLOG_PROOF', 'inclusion', proof(({ treeSize }) => ({ treeSize: treeSize + 2 }))),
  row('T70', 'the outer index is another', 'TLOG_PROOF', 'inclusion', entry((own) => ({ ...own, logIndex: own.logIndex - 1 }))),
  row('T70', 'the inner index is another', 'TLOG_PROOF', 'inclusion', proof(({ logIndex }) => ({ logIndex: logIndex - 1 }))),
  row('T70', 'no entry', 'TLOG_MISSING', 'log', { seal: { finish: (bundle) => ({ ...bundle, tlogEntries: [] }) } }),
  row('T71', 'the key hint is another', 'CHECKPOINT_SIGNATURE', 'checkpoint', checkpoint((text) => {
    const [start, base64] = [text.slice(0, text.lastIndexOf(' ') + 1), text.slice(text.lastIndexOf(' ') + 1, -1)];
    const bytes = Buffer.from(base64, 'base64');
    bytes[0]! ^= 1;
    return `${start}${toBase64(bytes)}\n`;
  })),
  row('T71', 'the log signed another root', 'CHECKPOINT_ROOT', 'checkpoint', (universe) =>
    entry(async (own) => ({ ...own, inclusionProof: { ...own.inclusionProof, checkpoint: await checkpointOf(universe, own.inclusionProof.treeSize, sha256()) } }))),
  row('T71', 'the log signed another size', 'CHECKPOINT_ROOT', 'checkpoint', (universe) =>
    entry(async (own) => ({ ...own, inclusionProof: { ...own.inclusionProof, checkpoint: await checkpointOf(universe, own.inclusionProof.treeSize + 1, own.inclusionProof.rootHash) } }))),
  row('T71', 'the root hash of the proof is another', 'TLOG_PROOF', 'inclusion', proof(() => ({ rootHash: sha256() }))),
  row('T71', 'the origin is another', 'CHECKPOINT_ORIGIN', 'checkpoint', (universe) =>
    entry(async (own) => ({ ...own, inclusionProof: { ...own.inclusionProof, checkpoint: await checkpointOf(universe, own.inclusionProof.treeSize, own.inclusionProof.rootHash, { origin: 'log.example.org' }) } }))),
  row('T71', 'the origin is a part of the right one', 'CHECKPOINT_ORIGIN', 'checkpoint', (universe) =>
    entry(async (own) => ({ ...own, inclusionProof: { ...own.inclusionProof, checkpoint: await checkpointOf(universe, own.inclusionProof.treeSize, own.inclusionProof.rootHash, { origin: 'example.org' }) } }))),
  row('T71', 'another key signed under the right name', 'CHECKPOINT_SIGNATURE', 'checkpoint', (universe) =>
    entry(async (own) => ({
      ...own,
      inclusionProof: { ...own.inclusionProof, checkpoint: await checkpointOf(universe, own.inclusionProof.treeSize, own.inclusionProof.rootHash, { key: seededSigner('not the log', 'ed25519') }) },
    }))),
  row('T71', 'the root line is missing', 'CHECKPOINT_INVALID', 'checkpoint', checkpoint((text) => text.replace(/^(.*\n.*\n).*\n\n/, '$1\n'))),
  row('T71', 'the signature is missing', 'CHECKPOINT_INVALID', 'checkpoint', checkpoint((text) => text.slice(0, text.indexOf('—')))),
  row('T71', 'a second signature by somebody unknown', 'CHECKPOINT_SIGNATURE', 'checkpoint', checkpoint((text) => `${text}— witness.example ${toBase64(Buffer.alloc(68, 7))}\n`)),
  row('T71', 'the last newline is missing', 'CHECKPOINT_INVALID', 'checkpoint', checkpoint((text) => text.slice(0, -1))),
  { id: 'T73', name: 'the log has forgotten what was seen', code: 'TLOG_ROLLBACK', link: 'checkpoint', attack: (universe) => remembering(universe, () => sha256(), 'proof') },
  { id: 'T73', name: 'nobody proves that the log still has what was seen', code: 'TLOG_ROLLBACK', link: 'checkpoint', attack: (universe) => remembering(universe, (size) => treeOf(universe.leaves.slice(0, size)).root(), 'none') },
  { id: 'T73', name: 'the log grew since, and proves it', code: 'ok', link: 'checkpoint', attack: (universe) => remembering(universe, (size) => treeOf(universe.leaves.slice(0, size)).root(), 'proof') },
  ...['-1', '0x10', ' 5 ', '05', '9007199254740992', '1e3', '5.0', ''].map((text) => row('T74', `the index is ${JSON.stringify(text)}`, 'TLOG_PARSE', 'format', json((own) => void (own.logIndex = text)))),
  row('T74', 'the index is a number', 'TLOG_PARSE', 'format', json((own) => void (own.logIndex = 5))),
  row('T74', 'the size of the proof is 0x10', 'TLOG_PARSE', 'format', json((own) => void (own.inclusionProof.treeSize = '0x10'))),
  row('T74', 'the size of the checkpoint is 0x10', 'TLOG_PARSE', 'checkpoint', checkpoint((text) => text.replace(/\n\d+\n/, '\n0x10\n'))),
  row('T74', 'an index beyond the tree', 'TLOG_PARSE', 'inclusion', entry((own) => ({ ...own, logIndex: 99, inclusionProof: { ...own.inclusionProof, logIndex: 99 } }))),
  row('X', 'a log that is not trusted', 'TLOG_UNTRUSTED', 'log', { trust: (root) => ({ ...root, tlogs: [] }) }),
  row('X', 'only the first four bytes of the log id are right', 'TLOG_UNTRUSTED', 'log', entry((own) => ({ ...own, logId: Buffer.concat([own.logId.slice(0, 4), Buffer.alloc(28)]) }))),
  row('X', 'a log that is trusted no longer', 'TLOG_UNTRUSTED', 'log', { trust: (root) => ({ ...root, tlogs: root.tlogs.map((each) => ({ ...each, validFor: { start: START - 60_000, end: START } })) }) }),
  row('X', 'a log that was not trusted yet', 'TLOG_UNTRUSTED', 'log', { trust: (root) => ({ ...root, tlogs: root.tlogs.map((each) => ({ ...each, validFor: { start: START + 2_000 } })) }) }),
  row('X', 'an entry of another kind', 'TLOG_ENTRY_MISMATCH', 'log', entry((own) => ({ ...own, kindVersion: { kind: 'dsse', version: '0.0.2' } }))),
  row('X', 'an entry of another version', 'TLOG_ENTRY_MISMATCH', 'log', entry((own) => ({ ...own, kindVersion: { kind: 'hashedrekord', version: '0.0.1' } }))),
  row('X', 'the log holds another digest', 'TLOG_ENTRY_MISMATCH', 'log', logged(() => ({ digest: sha256(utf8('another')) }))),
  row('X', 'the log holds another signature', 'TLOG_ENTRY_MISMATCH', 'log', logged(({ signature }) => ({ signature: Buffer.concat([signature, Buffer.of(0)]) }))),
  row('X', 'the log holds another certificate', 'TLOG_ENTRY_MISMATCH', 'log', logged(({ certificate }) => ({ certificate: Buffer.concat([certificate, Buffer.of(0)]) }))),
  row('X', 'the log holds another kind of key', 'TLOG_ENTRY_MISMATCH', 'log', logged(() => ({ keyDetails: 'PKIX_RSA_PKCS1V15_2048_SHA256' }))),
  row('X', 'an integrated time that nothing signs', 'TLOG_PARSE', 'format', json((own) => void (own.integratedTime = '1767323045'))),
];
