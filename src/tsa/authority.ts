import { StepsealError } from '../base/errors.ts';
import type { Clock, Rng } from '../base/ports.ts';
import { validityWithin, type Authority } from '../ca/authority.ts';
import { serialNumber } from '../ca/serial.ts';
import { signedAttributes } from '../x509/cms.ts';
import { EVIDENCE_OID } from '../x509/oids.ts';
import { assembleTimestampResponse } from '../x509/timestamp.ts';
import type { TimestampRequest } from '../x509/timestampRequest.ts';
import { tstInfo } from '../x509/tstInfo.ts';

/** The one policy, a child of our evidence OID: time from the server's clock, accurate to a second, never running back. */
export const TSA_POLICY = `${EVIDENCE_OID}.1`;

/** How far the clock may stand before the last timestamp: NTP slews, and time is told to the second. */
const TOLERANCE = 1_000;

export interface TimestampAuthority {
  /**
   * TimeStampResp with status granted (RFC 3161), DER. Its time is the clock's, cut to the second, and never before that
   * of an earlier one. Throws TIMESTAMP_POLICY, CLOCK_WENT_BACK, CA_EXPIRED.
   */
  stamp(request: TimestampRequest): Promise<Uint8Array>;
}

/** `authority` answers the certificate (kind tsa) and key that are current. */
export function timestampAuthority(options: { readonly authority: () => Authority; readonly clock: Clock; readonly rng: Rng }): TimestampAuthority {
  let last = -Infinity;

  const tellTime = (authority: Authority): number => {
    const now = options.clock.now();
    validityWithin(authority, now, 0);
    if (now < last - TOLERANCE) {
      throw new StepsealError('CLOCK_WENT_BACK', 'the clock stands before the last timestamp', { expected: new Date(last).toISOString(), found: new Date(now).toISOString() });
    }
    last = Math.max(last, now);
    return last;
  };

  return {
    async stamp({ imprint, policy, nonce, certReq }) {
      if (policy !== undefined && policy !== TSA_POLICY) {
        throw new StepsealError('TIMESTAMP_POLICY', 'the timestamp authority has another policy', { expected: TSA_POLICY, found: policy });
      }
      const authority = options.authority();
      const { certificate, signer } = authority;
      const { algorithm } = signer;
      const genTime = tellTime(authority);
      const info = tstInfo({ policy: TSA_POLICY, imprint, serial: serialNumber(options.rng), genTime, ...(nonce && { nonce }) });
      const attributes = signedAttributes({ tstInfo: info, certificate, algorithm, signingTime: genTime });
      const signature = await signer.sign(attributes);
      return assembleTimestampResponse({ tstInfo: info, signedAttributes: attributes, signature, algorithm, certificate, certificates: certReq ? [certificate] : [] });
    },
  };
}
