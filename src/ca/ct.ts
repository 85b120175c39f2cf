import { sha256 } from '../base/bytes.ts';
import type { Signer } from '../base/ports.ts';
import { leafIndexExtension } from '../merkle/ct.ts';
import { encodeSct, encodeSctList, sctSignedData } from '../x509/sct.ts';

/** Our CT log as the CA sees it; log/ has it. Durable before it answers, callable concurrently. */
export interface CtLog {
  /**
   * Sequences one precertificate. `timestamp` in ms since the epoch; `tbs` without poison and SCT list; `chain` is the
   * SHA-256 of each issuer certificate from the nearest up. Answers the place in the log and the timestamp of the entry.
   */
  add(submission: {
    readonly timestamp: number;
    readonly issuerKeyHash: Uint8Array;
    readonly tbs: Uint8Array;
    readonly preCertificate: Uint8Array;
    readonly chain: readonly Uint8Array[];
  }): Promise<{ readonly leafIndex: number; readonly timestamp: number }>;
}

/** The log's promise for an entry that it holds: a list of one SCT (RFC 6962 sections 3.2 and 3.3), by the log's P-256 key. */
export async function signSctList(
  logKey: Signer,
  entry: { readonly timestamp: number; readonly issuerKeyHash: Uint8Array; readonly tbs: Uint8Array; readonly leafIndex: number },
): Promise<Uint8Array> {
  const extensions = leafIndexExtension(entry.leafIndex);
  const signature = await logKey.sign(sctSignedData({ ...entry, extensions }));
  return encodeSctList(encodeSct({ logId: sha256(logKey.spki), timestamp: entry.timestamp, extensions, signature }));
}
