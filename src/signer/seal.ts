import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { sha256 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Clock, Prehash, Rng } from '../base/ports.ts';
import { encodeBundle } from '../envelope/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, pae } from '../envelope/dsse.ts';
import { encodeHashedRekord, HASHED_REKORD } from '../envelope/hashedRekord.ts';
import { type Caller, CallerSchema, SealRequestSchema, type SealRequest, type SealResponse } from '../rpc/gen/stepseal/node_pb.js';
import { createSealKey, type SealKey } from './key.ts';
import { possessionMessage } from './possession.ts';
import { inSlices } from './slices.ts';

export type Content =
  /** message signature over an artifact that is known by its SHA-256 */
  | { readonly kind: 'artifact'; readonly name: string; readonly sha256: Uint8Array }
  /** DSSE over an in-toto Statement; `payload` is its exact bytes */
  | { readonly kind: 'statement'; readonly name: string; readonly payload: Uint8Array };

export interface SealedContent {
  readonly name: string;
  /** of the artifact, or of the payload */
  readonly sha256: Uint8Array;
  /** Sigstore bundle v0.3, JSON */
  readonly bundle: Uint8Array;
  readonly logIndex: number;
}

export interface SealPorts {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly prehash: Prehash;
  /** Node.Seal: over mTLS for an agent, a direct call inside the server for provenance and the admin socket */
  readonly submit: (request: SealRequest) => Promise<SealResponse>;
}

export interface SealOrder {
  readonly caller: MessageInitShape<typeof CallerSchema>;
  readonly spiffeId: string;
  readonly contents: readonly Content[];
  /** the attempt's final claim and observed artifacts */
  readonly final?: boolean;
}

/**
 * Makes a key, signs everything with it, lets the server certify, stamp and log the signatures, and answers with one
 * bundle per content, in order. The key is gone afterwards. Errors are those of the server's Node.Seal.
 */
export async function seal(order: SealOrder, ports: SealPorts): Promise<SealedContent[]> {
  const key = await createSealKey(ports.prehash);
  const signed = await inSlices(order.contents, (content) => signContent(content, key));
  const caller = create(CallerSchema, order.caller);
  const requestId = toHex(ports.rng.bytes(16));
  const time = ports.clock.now();
  const possession = possessionMessage({
    spiffeId: order.spiffeId,
    attempt: attemptOf(caller),
    requestId,
    time,
    publicKey: key.spki,
    digests: signed.map((item) => item.digest),
  });
  const response = await ports.submit(
    create(SealRequestSchema, {
      caller,
      spiffeId: order.spiffeId,
      requestId,
      timeMs: BigInt(time),
      publicKey: key.spki,
      possession: key.sign(possession),
      items: signed.map(({ content, signature }) => ({
        what: content.kind === 'artifact' ? { case: 'artifact' as const, value: content.sha256 } : { case: 'statement' as const, value: content.payload },
        signature,
      })),
      final: order.final ?? false,
    }),
  );
  if (response.items.length !== signed.length) {
    throw new StepsealError('INTERNAL', 'the server sealed another number of items than asked', {
      expected: String(signed.length),
      found: String(response.items.length),
    });
  }
  return inSlices(signed, (item, index) => assemble(item, response, index));
}

/** What possession messages and certified keys call the caller's attempt. */
export function attemptOf(caller: Caller): string {
  return caller.who.case === 'attemptId' ? caller.who.value : (caller.who.case ?? '');
}

/** The digest that a signature over this content is over: the artifact's own, or SHA-256 of the PAE. */
export function signedDigest(content: Content): Uint8Array {
  return content.kind === 'artifact' ? content.sha256 : sha256(pae(IN_TOTO_PAYLOAD_TYPE, content.payload));
}

interface Signed {
  readonly content: Content;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
}

function signContent(content: Content, key: SealKey): Signed {
  const digest = signedDigest(content);
  return { content, digest, signature: key.signDigest(digest) };
}

function assemble({ content, digest, signature }: Signed, { certificate, items, logId, treeSize, rootHash, checkpoint }: SealResponse, index: number): SealedContent {
  const item = items[index]!;
  const logIndex = Number(item.logIndex);
  return {
    name: content.name,
    sha256: content.kind === 'artifact' ? content.sha256 : sha256(content.payload),
    logIndex,
    bundle: encodeBundle({
      certificate,
      tlogEntries: [
        {
          logIndex,
          logId,
          kindVersion: HASHED_REKORD,
          // what the server has logged: it follows from what both know, and need not travel
          canonicalizedBody: encodeHashedRekord({ digest, signature, certificate, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }),
          inclusionProof: { logIndex, treeSize: Number(treeSize), rootHash, hashes: item.hashes, checkpoint },
        },
      ],
      timestamps: [item.timestamp],
      content:
        content.kind === 'artifact'
          ? { kind: 'message', digest: content.sha256, signature }
          : { kind: 'dsse', payloadType: IN_TOTO_PAYLOAD_TYPE, payload: content.payload, signature },
    }),
  };
}
