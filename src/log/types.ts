/** Inclusion of one entry in the committed tree of `treeSize` entries; what a Sigstore bundle's inclusionProof needs. */
export interface Proof {
  readonly index: number;
  readonly treeSize: number;
  readonly rootHash: Uint8Array;
  /** audit path, leaf end first */
  readonly hashes: readonly Uint8Array[];
  /** signed note over exactly this size and root */
  readonly checkpoint: string;
}

export interface Appended extends Proof {
  /** true where the same entry was in the log already: `index` is the original's, the proof is fresh */
  readonly duplicate: boolean;
}

/** What every log gives to readers. All of it is about the committed tree. */
export interface LogReader {
  /** name of the checkpoint, forever */
  readonly origin: string;
  /** full key id, 32 bytes; notes carry its first 4 */
  readonly keyId: Uint8Array;
  size(): number;
  /** The newest signed checkpoint. */
  checkpoint(): string;
  /** Proof of entry `index` in the newest signed tree. Throws TLOG_PARSE for an index beyond it, LOG_CORRUPT. */
  proof(index: number): Promise<Proof>;
  /** From the tree of `older` entries to the one of `newer` (default: the newest signed). Throws TLOG_PARSE, LOG_CORRUPT. */
  consistency(older: number, newer?: number): Promise<Uint8Array[]>;
  /** Bytes as the entries tile holds them, without length prefix. Throws TLOG_PARSE, LOG_CORRUPT. */
  entry(index: number): Promise<Uint8Array>;
  /**
   * What a reader of the tile API gets for `path` (`tile/0/000.p/7`, `tile/entries/x001/234`, `checkpoint`); undefined
   * for what is not there (yet), also for a path that is not canonical. Partial tiles of every past size can be read.
   * Throws LOG_CORRUPT where a committed file is gone.
   */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Waits for the commit in flight; entries that still wait are refused with LOG_CLOSED. */
  close(): Promise<void>;
}

export interface Log extends LogReader {
  /**
   * Sequences the entries, 1 to 65,535 bytes each, in their order. Resolves after (size, root) is durably committed and
   * signed. Throws LOG_ENTRY_SIZE, LOG_BUSY, LOG_CLOSED, LOG_CONFLICT, STORE_FULL, STORE_FAILED; where it throws after a
   * failure of the store, the entry is not in the log, or a retry finds it there as a duplicate.
   */
  append(entries: readonly Uint8Array[]): Promise<Appended[]>;
}

export interface CtSubmission {
  /** ms since the epoch; goes into the SCT */
  readonly timestamp: number;
  /** SHA-256 of the issuer's SPKI */
  readonly issuerKeyHash: Uint8Array;
  /** TBSCertificate without poison and SCT list, DER */
  readonly tbs: Uint8Array;
  /** the precertificate as signed by the issuer, DER (static-ct-api keeps it beside the TBS) */
  readonly preCertificate: Uint8Array;
  /** SHA-256 of each issuer certificate, from the nearest up */
  readonly chain: readonly Uint8Array[];
}

export interface CtAdded {
  readonly leafIndex: number;
  /** of the entry in the log; for a duplicate the original's, which the SCT must carry */
  readonly timestamp: number;
  readonly duplicate: boolean;
}

export interface CtLog extends LogReader {
  /** SHA-256 of the SPKI, 32 bytes (RFC 6962 section 3.2) */
  readonly logId: Uint8Array;
  /**
   * Sequences one precertificate; resolves after it is durably committed, so an SCT signed afterwards promises nothing
   * that is not kept already. Throws as Log.append does.
   */
  add(submission: CtSubmission): Promise<CtAdded>;
}
