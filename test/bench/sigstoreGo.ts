import { sha256 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { createUniverse, encodedTrust, seal } from '../fakes/universe.ts';
import { peerMissing } from '../interop/peers/table.ts';
import { runPeer, scratch } from '../interop/run.ts';
import type { Row } from './row.ts';

/** sigstore-go on one core with a bundle of ours, trust material warm: what our verifier is to be compared with. */
export async function bench(): Promise<Row[]> {
  const missing = peerMissing('sgverify');
  if (missing !== undefined) {
    process.stderr.write(`${missing}\n`);
    return [];
  }
  const files = scratch();
  const universe = await createUniverse();
  const artifact = Buffer.from('artifact');
  const bundle = files.put('b.sigstore.json', await seal(universe, { artifact }, { identity: 'spiffe://example.org/ns/local/task/release/step/build' }));
  const trust = files.put('trusted_root.json', encodedTrust(universe));
  const { out } = runPeer('sgverify', ['--trusted-root', trust, '--artifact', `sha256:${toHex(sha256(artifact))}`, '--loop', '1000', bundle], { env: { GOMAXPROCS: '1' } });
  files.remove();
  return [{ what: 'bundles verified by sigstore-go (the peer)', unit: 'per second, one core', value: Math.round((JSON.parse(out) as { perSecond: number }).perSecond) }];
}
