import { fromUtf8 } from '../base/bytes.ts';
import type { Clock, Signer } from '../base/ports.ts';
import { type Checkpoint, formatCheckpoint, type LogKey, parseCheckpointBody } from '../merkle/checkpoint.ts';
import { encodeTreeHeadSignature, parseTreeHeadSignature, treeHeadSignedData } from '../merkle/ct.ts';
import { ctKeyId, logKeyId } from '../merkle/keyId.ts';
import { signNote } from '../merkle/note.ts';
import { verifySignature } from '../x509/verify.ts';

/** Signs and recognises the checkpoints of one log. */
export interface CheckpointSigner {
  readonly key: LogKey;
  sign(tree: Omit<Checkpoint, 'origin'>): Promise<string>;
}

/** The key of a Rekor-style log, as a reader has it. */
export function tlogKey(origin: string, { spki, algorithm }: Pick<Signer, 'spki' | 'algorithm'>): LogKey {
  return {
    origin,
    keyId: logKeyId(origin, spki),
    verify: (data, signature) => verifySignature(spki, algorithm, data, signature),
  };
}

/** The key of a CT log, whose checkpoint signature is an RFC 6962 tree head (C2SP static-ct-api, "Checkpoints"). */
export function ctKey(origin: string, { spki, algorithm }: Pick<Signer, 'spki' | 'algorithm'>): LogKey {
  return {
    origin,
    keyId: ctKeyId(origin, spki),
    verify(data, bytes) {
      const { timestamp, signature } = parseTreeHeadSignature(bytes);
      return verifySignature(spki, algorithm, treeHeadSignedData({ timestamp, ...parseCheckpointBody(fromUtf8(data)) }), signature);
    },
  };
}

export function tlogCheckpoints(origin: string, signer: Signer): CheckpointSigner {
  const key = tlogKey(origin, signer);
  return {
    key,
    sign: (tree) => signNote(formatCheckpoint({ origin, ...tree }), { name: origin, keyId: key.keyId, sign: (data) => signer.sign(data) }),
  };
}

/** `newest` is the time of the newest entry, ms: no tree head may be older than what it covers (RFC 6962 section 3.5). */
export function ctCheckpoints(origin: string, signer: Signer, clock: Clock, newest: () => number): CheckpointSigner {
  const key = ctKey(origin, signer);
  let last = 0;
  return {
    key,
    sign(tree) {
      // a clock that jumps back must not make a later tree look older
      last = Math.max(last, clock.now(), newest());
      const timestamp = last;
      return signNote(formatCheckpoint({ origin, ...tree }), {
        name: origin,
        keyId: key.keyId,
        sign: async () => encodeTreeHeadSignature(timestamp, await signer.sign(treeHeadSignedData({ timestamp, ...tree }))),
      });
    },
  };
}
