import type { Clock, Signer } from '../base/ports.ts';
import { parseDataTile } from '../merkle/ct.ts';
import { ctLogId } from '../merkle/keyId.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import { ctCheckpoints } from './checkpoints.ts';
import { startEngine } from './engine.ts';
import { ctEntry, ctKey, STATIC_CT } from './format.ts';
import { createReader } from './reader.ts';
import { readBundle, readTail } from './recover.ts';
import type { LogStorage } from './storage.ts';
import type { CtLog } from './types.ts';

export interface CtLogOptions {
  readonly storage: LogStorage;
  /** ECDSA P-256 */
  readonly signer: Signer;
  readonly origin: string;
  readonly clock: Clock;
  /** Told of failures without consequence. */
  readonly warn: (error: unknown) => void;
}

/** Opens the CT log of issued certificates, in static-ct-api's layout. Throws LOG_CORRUPT, STORE_FAILED. */
export async function openCtLog({ storage, signer, origin, clock, warn }: CtLogOptions): Promise<CtLog> {
  let newest = await newestTime(storage);
  const checkpoints = ctCheckpoints(origin, signer, clock, () => newest);
  const engine = await startEngine({ storage, format: STATIC_CT, checkpoints, warn });
  const reader = createReader(engine, checkpoints.key);
  return {
    ...reader,
    logId: ctLogId(signer.spki),
    async add(submission) {
      // all lengths but the index are known now; a refusal must not meet those that commit together with it
      const bytes = ctEntry({ ...submission, leafIndex: 0 }).framed.length;
      newest = Math.max(newest, submission.timestamp);
      const submissions = [{ key: ctKey(submission), make: (leafIndex: number) => ctEntry({ ...submission, leafIndex }) }];
      const { index, duplicate } = await engine.queue.submit({ submissions, bytes, answer: ([place]) => place! });
      if (!duplicate) return { leafIndex: index, timestamp: submission.timestamp, duplicate };
      const [original] = parseDataTile(await reader.entry(index));
      return { leafIndex: index, timestamp: original!.entry.timestamp, duplicate };
    },
  };
}

/** Time of the newest entry that is committed, ms; 0 for an empty log. */
async function newestTime(storage: LogStorage): Promise<number> {
  const head = await storage.head();
  if (head === undefined || head.size === 0) return 0;
  const tail = await readTail(storage, STATIC_CT, head);
  const last = tail.length > 0 ? tail : await readBundle(storage, STATIC_CT, head.size / TILE_WIDTH - 1);
  return Math.max(...last.map(({ body }) => parseDataTile(body)[0]!.entry.timestamp));
}
