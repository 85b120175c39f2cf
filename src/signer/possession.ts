import { sha256, utf8 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { canonicalJson } from '../base/json.ts';

/** What a proof of possession binds together (DESIGN §4). */
export interface Possession {
  readonly spiffeId: string;
  /** attempt id of a step; `workload` or `self` for callers without one */
  readonly attempt: string;
  readonly requestId: string;
  /** ms since the epoch, the caller's clock */
  readonly time: number;
  /** SubjectPublicKeyInfo, DER */
  readonly publicKey: Uint8Array;
  /** what the signatures are over, in order: SHA-256 of the artifact, or of the PAE */
  readonly digests: readonly Uint8Array[];
}

/**
 * The bytes that the new key signs to prove that its holder asks for exactly this. The first line separates the domain:
 * neither a PAE (`DSSEv1 …`) nor any artifact that Stepseal signs can begin with it and be taken for one, since a
 * signature over an artifact is over its digest and this is hashed whole.
 */
export function possessionMessage(possession: Possession): Uint8Array {
  return utf8(
    `stepseal possession v1\n${canonicalJson({
      attempt: possession.attempt,
      digests: possession.digests.map(toHex),
      publicKey: toHex(sha256(possession.publicKey)),
      requestId: possession.requestId,
      spiffeId: possession.spiffeId,
      time: possession.time,
    })}`,
  );
}
