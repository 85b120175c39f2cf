import { fromBase64 } from '../base/base64.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type { DigestName } from '../base/ports.ts';
import { Reader } from '../base/read.ts';
import { imprintOf } from '../x509/imprint.ts';
import type { TimestampRequest } from '../x509/timestampRequest.ts';

const HASHES: readonly DigestName[] = ['sha256', 'sha384', 'sha512'];
const LIMITS = { size: 4096, depth: 1 };

/**
 * The JSON form of a request, as timestamp-authority's openapi.yaml has it: `artifactHash` (base64 of the digest),
 * `hashAlgorithm`, and optionally `certificates`, `nonce`, `tsaPolicyOID`. Throws TIMESTAMP_INVALID, ALG_NOT_ALLOWED.
 */
export function parseTimestampJson(bytes: Uint8Array): TimestampRequest {
  try {
    return read(new Reader(parseJson(bytes, LIMITS), 'request', 'TIMESTAMP_INVALID'));
  } catch (cause) {
    if (!isStepsealError(cause) || cause.code === 'ALG_NOT_ALLOWED' || cause.code === 'TIMESTAMP_INVALID') throw cause;
    throw new StepsealError('TIMESTAMP_INVALID', `not a timestamp request: ${cause.message}`, { cause });
  }
}

function read(request: Reader): TimestampRequest {
  request.only('artifactHash', 'hashAlgorithm', 'certificates', 'nonce', 'tsaPolicyOID');
  const name = request.at('hashAlgorithm').string();
  const hash = HASHES.find((known) => known === name.toLowerCase());
  if (!hash) throw new StepsealError('ALG_NOT_ALLOWED', 'the hash algorithm is not allowed', { expected: HASHES.join(', '), found: name });
  const policy = request.at('tsaPolicyOID').optional((reader) => reader.string('an OID', /^(?:\d+(?:\.\d+)+)?$/));
  const nonce = request.at('nonce').optional((reader) => integerContent(reader));
  return {
    imprint: imprintOf(hash, fromBase64(request.at('artifactHash').string())),
    certReq: request.at('certificates').optional((reader) => reader.boolean()) ?? false,
    ...(policy && { policy }),
    ...(nonce && { nonce }),
  };
}

/** Content octets of an INTEGER: two's complement, as short as it goes (X.690 section 8.3). */
function integerContent(reader: Reader): Uint8Array {
  const value = reader.number();
  if (!Number.isSafeInteger(value)) reader.fail('an integer');
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  let from = 0;
  while (from < 7 && ((bytes[from] === 0 && bytes[from + 1]! < 0x80) || (bytes[from] === 0xff && bytes[from + 1]! >= 0x80))) from++;
  return bytes.subarray(from);
}
