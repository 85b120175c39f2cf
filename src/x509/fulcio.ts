import { fromUtf8 } from '../base/bytes.ts';
import { parseDer } from '../der/read.ts';
import { asUtf8 } from '../der/values.ts';
import { extensionValue, type Certificate } from './certificate.ts';
import { FULCIO } from './oids.ts';

/** Text of Fulcio extension `number` (1 to 6 raw, 8 to 24 UTF8String), or undefined when it is absent. Throws DER_INVALID, UTF8_INVALID. */
export function fulcioValue(certificate: Certificate, number: number): string | undefined {
  const value = extensionValue(certificate, `${FULCIO}.${number}`);
  if (!value) return undefined;
  return number < 7 ? fromUtf8(value) : asUtf8(parseDer(value), `Fulcio extension ${number}`);
}
