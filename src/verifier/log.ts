import { equalBytes } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toBase64 } from '../base/base64.ts';
import { toHex } from '../base/hex.ts';
import { formatTimeMs } from '../base/time.ts';
import { encodeHashedRekord, HASHED_REKORD, type HashedRekord, parseHashedRekord } from '../envelope/hashedRekord.ts';
import type { TlogEntry } from '../envelope/tlogEntry.ts';
import { isWithin } from '../envelope/validity.ts';
import { type Checkpoint, openCheckpoint } from '../merkle/checkpoint.ts';
import { leafHash } from '../merkle/hash.ts';
import { verifyConsistency, verifyInclusion } from '../merkle/verify.ts';
import type { TrustedLog, TrustMaterial } from './trust.ts';

/** A checkpoint that was seen earlier, and the proofs that connect it with others. */
export interface KnownCheckpoint {
  readonly checkpoint: Checkpoint;
  /** consistency proof between two tree sizes of that log; undefined where there is none */
  readonly consistency: (older: number, newer: number) => readonly Uint8Array[] | undefined;
}

/** The log by its whole 32-byte id, trusted at each of the times. Throws TLOG_UNTRUSTED. */
export function trustedLogOf(entry: TlogEntry, trust: TrustMaterial, times: readonly number[]): TrustedLog {
  const log = trust.logs.get(toHex(entry.logId));
  if (log === undefined) throw new StepsealError('TLOG_UNTRUSTED', 'the log is not in the trusted root', { expected: [...trust.logs.keys()].join(', ') || 'none', found: toHex(entry.logId) });
  const early = times.find((time) => !isWithin(log.validFor, time));
  if (early !== undefined) throw new StepsealError('TLOG_UNTRUSTED', `log ${log.key.origin} was not trusted at that time`, { found: formatTimeMs(early) });
  return log;
}

/** The entry says exactly what the bundle holds. Throws TLOG_PARSE, TLOG_ENTRY_MISMATCH. */
export function checkEntry({ kindVersion, canonicalizedBody }: TlogEntry, expected: HashedRekord): void {
  if (kindVersion.kind !== HASHED_REKORD.kind || kindVersion.version !== HASHED_REKORD.version) {
    throw new StepsealError('TLOG_ENTRY_MISMATCH', 'the entry is of another kind', {
      expected: `${HASHED_REKORD.kind} ${HASHED_REKORD.version}`,
      found: `${kindVersion.kind} ${kindVersion.version}`,
    });
  }
  if (equalBytes(canonicalizedBody, encodeHashedRekord(expected))) return;
  const found = parseHashedRekord(canonicalizedBody);
  const fields: [string, string, string][] = [
    ['digest', toHex(expected.digest), toHex(found.digest)],
    ['signature', toBase64(expected.signature), toBase64(found.signature)],
    ['certificate', toBase64(expected.certificate), toBase64(found.certificate)],
    ['kind of key', expected.keyDetails, found.keyDetails],
  ];
  const [name, wanted, got] = fields.find(([, a, b]) => a !== b)!;
  throw new StepsealError('TLOG_ENTRY_MISMATCH', `the log entry is about another ${name}`, { expected: wanted, found: got });
}

/** Leaf, index, size and root fit together. Throws TLOG_PROOF, TLOG_PARSE. */
export function checkInclusion({ logIndex, inclusionProof, canonicalizedBody }: TlogEntry): void {
  // outer and inner index are two fields of one fact; other clients read one of them
  if (logIndex !== inclusionProof.logIndex) throw new StepsealError('TLOG_PROOF', 'the entry has two indexes', { expected: String(logIndex), found: String(inclusionProof.logIndex) });
  verifyInclusion({
    index: logIndex,
    size: inclusionProof.treeSize,
    leafHash: leafHash(canonicalizedBody),
    proof: inclusionProof.hashes,
    root: inclusionProof.rootHash,
  });
}

/** The log itself signed that root and size, alone, under its own name. Throws CHECKPOINT_*, TLOG_PARSE, TLOG_ROLLBACK. */
export function checkCheckpoint({ inclusionProof }: TlogEntry, log: TrustedLog, known: readonly KnownCheckpoint[]): Checkpoint {
  const checkpoint = openCheckpoint(inclusionProof.checkpoint, log.key);
  const { signatures } = checkpoint.note;
  if (signatures.length !== 1) {
    // a second line is by nobody we know: witnesses are not in the trusted root
    throw new StepsealError('CHECKPOINT_SIGNATURE', 'the checkpoint carries a signature by somebody unknown', { expected: 'one, by the log', found: signatures.map(({ name }) => name).join(', ') });
  }
  if (checkpoint.size !== inclusionProof.treeSize) {
    throw new StepsealError('CHECKPOINT_ROOT', 'proof and checkpoint are of different trees', { expected: `size ${checkpoint.size}`, found: `size ${inclusionProof.treeSize}` });
  }
  if (!equalBytes(checkpoint.root, inclusionProof.rootHash)) {
    throw new StepsealError('CHECKPOINT_ROOT', 'proof and checkpoint have different roots', { expected: toHex(checkpoint.root), found: toHex(inclusionProof.rootHash) });
  }
  for (const anchor of known) if (anchor.checkpoint.origin === checkpoint.origin) checkAgainst(anchor, checkpoint);
  return checkpoint;
}

function checkAgainst({ checkpoint: seen, consistency }: KnownCheckpoint, checkpoint: Checkpoint): void {
  const [older, newer] = seen.size <= checkpoint.size ? [seen, checkpoint] : [checkpoint, seen];
  const proof = older.size === newer.size ? [] : consistency(older.size, newer.size);
  const detail = { expected: `the tree seen at size ${seen.size}`, found: `a tree of size ${checkpoint.size}` };
  if (proof === undefined) throw new StepsealError('TLOG_ROLLBACK', 'nothing proves that the log still contains what was seen', detail);
  try {
    verifyConsistency({ olderSize: older.size, olderRoot: older.root, newerSize: newer.size, newerRoot: newer.root, proof });
  } catch (cause) {
    if (!isStepsealError(cause)) throw cause;
    throw new StepsealError('TLOG_ROLLBACK', 'the log does not contain the tree that was seen', { ...detail, cause });
  }
}
