import { sha256 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { parseClaim, type StepClaim } from './claim.ts';
import { type NodeEvidence, parseNodeEvidence } from './nodeEvidence.ts';

/** Payloads of the two statements that an ended attempt leaves, as they were sealed. */
export interface AttemptPayloads {
  readonly claim: Uint8Array;
  readonly evidence: Uint8Array;
}

/** One attempt, read; the digests are those that provenance lists. */
export interface AttemptRecord {
  readonly claim: StepClaim;
  /** SHA-256 of the claim's payload, hex */
  readonly claimSha256: string;
  readonly node: NodeEvidence;
  readonly nodeSha256: string;
}

/** Throws what parseClaim and parseNodeEvidence throw. */
export function readAttempt(payloads: AttemptPayloads): AttemptRecord {
  return {
    claim: parseClaim(payloads.claim),
    claimSha256: toHex(sha256(payloads.claim)),
    node: parseNodeEvidence(payloads.evidence),
    nodeSha256: toHex(sha256(payloads.evidence)),
  };
}
