import { StepsealError } from '../base/errors.ts';
import type { Reader } from '../base/read.ts';

/** in-toto DigestSet: algorithm name to lower-case hex. */
export type DigestSet = Readonly<Record<string, string>>;

/** Hex lengths of the algorithms of in-toto attestation spec v1, digest_set.md; git objects are SHA-1 or SHA-256. */
const HEX_LENGTHS: Readonly<Record<string, readonly number[]>> = {
  sha256: [64],
  sha384: [96],
  sha512: [128],
  sha224: [56],
  sha512_224: [56],
  sha512_256: [64],
  sha3_224: [56],
  sha3_256: [64],
  sha3_384: [96],
  sha3_512: [128],
  sha1: [40],
  md5: [32],
  gitCommit: [40, 64],
  gitTree: [40, 64],
  gitBlob: [40, 64],
  gitTag: [40, 64],
};

/** Strong enough to name an artifact by alone. */
const SECURE = ['sha256', 'sha384', 'sha512'];

/**
 * Every algorithm known and spelled as the specification spells it, every value lower-case hex of its length, no value
 * under two names; with `secure`, one of them SHA-256, SHA-384 or SHA-512.
 * Throws DIGEST_INVALID; DIGEST_ALG_CONFUSION where a name only resembles a known one or a value stands under two names.
 */
export function readDigestSet(reader: Reader, secure: boolean): DigestSet {
  const entries = Object.entries(reader.object());
  const seen = new Map<string, string>();
  for (const [algorithm, value] of entries) {
    const lengths = Object.hasOwn(HEX_LENGTHS, algorithm) ? HEX_LENGTHS[algorithm]! : unknownAlgorithm(algorithm, reader.path);
    if (typeof value !== 'string' || !lengths.includes(value.length) || !/^[0-9a-f]+$/.test(value)) {
      throw new StepsealError('DIGEST_INVALID', `${reader.path}.${algorithm} is not a digest`, {
        expected: `${lengths.join(' or ')} lower-case hexadecimal characters`,
        found: JSON.stringify(value),
      });
    }
    const other = seen.get(value);
    if (other !== undefined) {
      throw new StepsealError('DIGEST_ALG_CONFUSION', `${reader.path} has one value under two algorithms`, { found: `${other} and ${algorithm}` });
    }
    seen.set(value, algorithm);
  }
  if (secure && !entries.some(([algorithm]) => SECURE.includes(algorithm))) {
    throw new StepsealError('DIGEST_INVALID', `${reader.path} names no digest that is strong enough`, {
      expected: SECURE.join(', '),
      found: entries.map(([algorithm]) => algorithm).join(', ') || 'nothing',
    });
  }
  return Object.fromEntries(entries) as DigestSet;
}

function unknownAlgorithm(algorithm: string, path: string): never {
  const plain = algorithm.toLowerCase().replace(/[^a-z0-9]/g, '');
  const like = Object.keys(HEX_LENGTHS).find((known) => plain.endsWith(known.toLowerCase().replaceAll('_', '')));
  throw like === undefined
    ? new StepsealError('DIGEST_INVALID', `${path} has a digest of an unknown algorithm`, { expected: Object.keys(HEX_LENGTHS).join(', '), found: algorithm })
    : new StepsealError('DIGEST_ALG_CONFUSION', `${path} has an algorithm name that only resembles a known one`, { expected: like, found: algorithm });
}
