import { concat, utf8 } from '../base/bytes.ts';

/** The payload type of in-toto attestations (in-toto attestation spec v1, envelope). */
export const IN_TOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** A DSSE envelope with its one signature. */
export interface DsseEnvelope {
  readonly payload: Uint8Array;
  readonly payloadType: string;
  readonly signature: Uint8Array;
}

/**
 * DSSE v1 pre-authentication encoding: what the signature of an envelope is over. Lengths count UTF-8 bytes, not
 * characters: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
 */
export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8(payloadType);
  return concat(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${payload.length} `), payload);
}
