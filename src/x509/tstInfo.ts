import { StepsealError } from '../base/errors.ts';
import { fields, parseDer } from '../der/read.ts';
import { contextConstructed, TAG } from '../der/tags.ts';
import { asBoolean, asGeneralizedTime, asOid, asSmallInteger, integerBytes } from '../der/values.ts';
import { encode, generalizedTime, integer, oid, sequence } from '../der/write.ts';
import { parseImprint, type Imprint } from './imprint.ts';

export interface TstInfo {
  /** OID */
  readonly policy: string;
  readonly imprint: Imprint;
  /** content octets of the INTEGER */
  readonly serial: Uint8Array;
  /** ms since the epoch */
  readonly genTime: number;
  /** as in the request */
  readonly nonce?: Uint8Array;
}

const ACCURACY_1S = sequence(integer(1));

/** TSTInfo (RFC 3161 section 2.4.2), DER: genTime cut to the second, accuracy one second, not ordered. `serial` is unsigned, big-endian. */
export function tstInfo(info: TstInfo): Uint8Array {
  return sequence(
    integer(1),
    oid(info.policy),
    info.imprint.der,
    integer(info.serial),
    generalizedTime(info.genTime),
    ACCURACY_1S,
    ...(info.nonce === undefined ? [] : [encode(TAG.integer, info.nonce)]),
  );
}

/** Of any authority: accuracy, ordering and tsa are skipped; extensions are refused. Throws DER_INVALID, TIMESTAMP_INVALID, ALG_NOT_ALLOWED. */
export function parseTstInfo(der: Uint8Array): TstInfo {
  const parts = fields(parseDer(der), 'TSTInfo');
  if (asSmallInteger(parts.any('version'), 'version') !== 1) throw new StepsealError('TIMESTAMP_INVALID', 'a TSTInfo of another version', { expected: '1' });
  const policy = asOid(parts.any('policy'), 'policy');
  const imprint = parseImprint(parts.any('messageImprint'));
  const serial = integerBytes(parts.any('serialNumber'), 'serialNumber');
  const genTime = asGeneralizedTime(parts.any('genTime'), 'genTime');
  parts.optional(TAG.sequence);
  const ordering = parts.optional(TAG.boolean);
  if (ordering && !asBoolean(ordering, 'ordering')) throw new StepsealError('DER_INVALID', 'ordering encodes its default');
  const nonce = parts.optional(TAG.integer);
  parts.optional(contextConstructed(0));
  parts.end();
  return { policy, imprint, serial, genTime, ...(nonce && { nonce: integerBytes(nonce, 'nonce') }) };
}
