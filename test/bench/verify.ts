import { sha256 } from '../../src/base/bytes.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { parseIdentityPattern } from '../../src/spiffe/pattern.ts';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { loadTrust } from '../../src/verifier/trust.ts';
import { verifySignature } from '../../src/x509/verify.ts';
import { createUniverse, encodedTrust, seal } from '../fakes/universe.ts';
import type { Row } from './row.ts';

const DISTINCT = 200;
const COUNT = 2_000;
const TARGET = 500;
/** artifact, certificate, SCT, checkpoint, timestamp */
const SIGNATURES = 5;

/** Whole bundles per CPU second in one thread, trust material warm, every bundle with its own key; the floor is the bare signature checks. */
export async function bench(): Promise<Row[]> {
  const universe = await createUniverse();
  const context = { trust: loadTrust(encodedTrust(universe)), prehash: createPrehash() };
  const identity = parseIdentityPattern('spiffe://example.org/ns/*/task/*/step/*');
  const made: { bundle: Uint8Array; digest: Uint8Array }[] = [];
  for (let index = 0; index < DISTINCT; index++) {
    const artifact = Buffer.from(`artifact ${index}`);
    made.push({ bundle: await seal(universe, { artifact }, { identity: 'spiffe://example.org/ns/local/task/release/step/build' }), digest: sha256(artifact) });
  }
  const data = Buffer.from('x'.repeat(1200));
  const signature = await universe.ctKey.sign(data);
  const bare = perCpuSecond(() => verifySignature(universe.ctKey.spki, 'ecdsa-p256-sha256', data, signature));
  const verified = perCpuSecond((index) => {
    const { bundle, digest } = made[index % DISTINCT]!;
    if (verifyBundle(bundle, { identity, artifact: { sha256: digest } }, context).status !== 'ok') throw new Error('a good bundle was refused');
  });
  return [
    {
      what: 'bundles verified, signature verdict', unit: 'per CPU second', value: verified,
      floor: `${SIGNATURES} bare P-256 checks, keys imported`, floorValue: Math.round(bare / SIGNATURES), target: `≥ ${TARGET.toLocaleString('en')}`, ok: verified >= TARGET,
    },
  ];
}

function perCpuSecond(once: (index: number) => unknown): number {
  for (let index = 0; index < COUNT / 4; index++) once(index);
  const before = process.cpuUsage();
  for (let index = 0; index < COUNT; index++) once(index);
  const { user, system } = process.cpuUsage(before);
  return Math.round((COUNT * 1e6) / (user + system));
}
