import type { Peer } from '../attestor/peer.ts';
import { toHex } from '../base/hex.ts';
import { type Sealed, Seal } from '../rpc/gen/stepseal/seal_pb.js';
import { implement, type Implementation } from '../rpc/handlers.ts';
import type { SealedContent } from '../signer/seal.ts';
import type { Sealer } from './sealer.ts';

/** stepseal.seal.v1.Seal, beside the Workload API. */
export function sealService(sealer: Sealer): Implementation<Peer> {
  return implement<Peer, typeof Seal>(Seal, {
    async seal({ items }, { peer }) {
      const begun = performance.now();
      const sealed = await sealer(peer, items);
      return { spiffeId: sealed.spiffeId, items: sealed.items.map(sealedMessage), elapsedUs: microseconds(begun) };
    },
  });
}

export function sealedMessage({ name, sha256, bundle, logIndex }: SealedContent): Pick<Sealed, 'name' | 'sha256' | 'bundle' | 'logIndex'> {
  return { name, sha256: toHex(sha256), bundle, logIndex: BigInt(logIndex) };
}

export function microseconds(begun: number): bigint {
  return BigInt(Math.round((performance.now() - begun) * 1000));
}
