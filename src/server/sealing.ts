import { create } from '@bufbuild/protobuf';
import { sha256 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import type { Clock, Prehash } from '../base/ports.ts';
import { parseSpki } from '../der/spki.ts';
import { IN_TOTO_PAYLOAD_TYPE, pae } from '../envelope/dsse.ts';
import { encodeHashedRekord } from '../envelope/hashedRekord.ts';
import { parseStatement } from '../envelope/statement.ts';
import type { Appended } from '../log/types.ts';
import { assertPredicateAllowed, type StatementRole } from '../registry/predicates.ts';
import { type SealItem, type SealRequest, type SealResponse, SealResponseSchema } from '../rpc/gen/stepseal/node_pb.js';
import { possessionMessage } from '../signer/possession.ts';
import { inSlices } from '../signer/slices.ts';
import type { StepBinding } from './binding.ts';

/** Items of one Seal: one certificate for all of them, a timestamp and a log entry for each. */
export const MAX_ITEMS = 10_000;
/** How far the clock of an agent may be away from ours. */
const MAX_SKEW_MS = 5 * 60_000;

/** Who seals, as the server established it; nothing here comes from the request. */
export interface SealSubject {
  readonly spiffeId: string;
  /** what a key is bound to besides the identity: the attempt id, or `workload`, `self`, `provenance` */
  readonly attempt: string;
  readonly role: StatementRole;
  /** of a step: what its certificate is bound to */
  readonly step?: StepBinding | undefined;
}

export interface SealingPorts {
  readonly clock: Clock;
  readonly prehash: Prehash;
  /** Durable before it returns. Throws KEY_ALREADY_CERTIFIED where this key was ever certified, so that no Seal can be sent twice. */
  readonly claimKey: (spki: Uint8Array, spiffeId: string, attempt: string) => void;
  /** DER */
  readonly certify: (spki: Uint8Array, subject: SealSubject) => Promise<Uint8Array>;
  /** RFC 3161 response over a SHA-256 imprint, DER */
  readonly stamp: (imprint: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  readonly append: (entries: Uint8Array[]) => Promise<Appended[]>;
  readonly logId: Uint8Array;
}

/**
 * One Seal: checks possession, every signature and every predicate type first, then certifies the key, stamps each
 * signature, appends all entries in one batch and answers when the checkpoint that covers them is durable.
 * `beforeSigning` runs between the checks, which take time, and the first signature; its throw refuses.
 * Throws SEAL_INVALID, POSSESSION_INVALID, SIG_INVALID, PREDICATE_RESERVED, KEY_ALREADY_CERTIFIED, and what the ports throw.
 */
export async function sealAll(request: SealRequest, subject: SealSubject, ports: SealingPorts, beforeSigning?: () => void): Promise<SealResponse> {
  const { length } = request.items;
  if (length === 0 || length > MAX_ITEMS) throw invalid(`1 to ${MAX_ITEMS} items`, `${length}`);
  const digests = await inSlices(request.items, (item) => checkedDigest(item, subject.role));
  await checkRequest(request, subject, digests, ports);
  beforeSigning?.();
  ports.claimKey(request.publicKey, subject.spiffeId, subject.attempt);
  const certificate = await ports.certify(request.publicKey, subject);
  const entries = request.items.map((item, index) =>
    encodeHashedRekord({ digest: digests[index]!, signature: item.signature, certificate, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }),
  );
  const timestamps = await inSlices(request.items, ({ signature }) => ports.stamp(sha256(signature)));
  const appended = await ports.append(entries);
  const tree = appended[0]!;
  return create(SealResponseSchema, {
    certificate,
    items: appended.map(({ index: logIndex, hashes }, index) => ({ timestamp: timestamps[index]!, logIndex: BigInt(logIndex), hashes: [...hashes] })),
    logId: ports.logId,
    treeSize: BigInt(tree.treeSize),
    rootHash: tree.rootHash,
    checkpoint: tree.checkpoint,
  });
}

/** The digest that the item's signature must be over. Throws SEAL_INVALID, PREDICATE_RESERVED and the codes of parseStatement. */
function checkedDigest(item: SealItem, role: StatementRole): Uint8Array {
  switch (item.what.case) {
    case 'artifact':
      if (item.what.value.length !== 32) throw invalid('an artifact digest of 32 bytes', `${item.what.value.length} bytes`);
      return item.what.value;
    case 'statement':
      assertPredicateAllowed(parseStatement(item.what.value).predicateType, role);
      return sha256(pae(IN_TOTO_PAYLOAD_TYPE, item.what.value));
    default:
      throw invalid('an artifact or a statement in each item', 'neither');
  }
}

async function checkRequest(request: SealRequest, subject: SealSubject, digests: readonly Uint8Array[], { clock, prehash }: SealingPorts): Promise<void> {
  const { algorithm } = parseSpki(request.publicKey);
  if (algorithm !== 'ecdsa-p256') throw invalid('a P-256 key', algorithm);
  if (!/^[0-9a-f]{32}$/.test(request.requestId)) throw invalid('a request id of 32 hexadecimal characters', request.requestId);
  const time = Number(request.timeMs);
  const skew = Math.abs(clock.now() - time);
  if (skew > MAX_SKEW_MS) throw invalid(`a request time within ${MAX_SKEW_MS / 60_000} minutes of the server's clock`, `${Math.round(skew / 1000)} s away`);
  const message = possessionMessage({
    spiffeId: subject.spiffeId, attempt: subject.attempt, requestId: request.requestId, time, publicKey: request.publicKey, digests,
  });
  if (!prehash.verify(request.publicKey, 'sha256', sha256(message), request.possession)) {
    throw new StepsealError('POSSESSION_INVALID', 'the proof of possession is not by this key over this request');
  }
  await inSlices(request.items, ({ signature }, index) => {
    if (prehash.verify(request.publicKey, 'sha256', digests[index]!, signature)) return;
    throw new StepsealError('SIG_INVALID', `the signature of item ${index} is not by the given key over its digest`);
  });
}

function invalid(expected: string, found: string): StepsealError {
  return new StepsealError('SEAL_INVALID', 'the Seal request cannot be accepted', { expected, found });
}
