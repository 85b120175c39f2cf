import { StepsealError } from '../base/errors.ts';
import { sha256 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { canonicalJson, parseJson } from '../base/json.ts';
import type { Signer } from '../base/ports.ts';
import { Reader } from '../base/read.ts';
import { readOwnFile, writePrivateFile } from './files.ts';

/** What the first start made; written last, so that its presence says that nothing may be made any more. */
export interface KeyRecord {
  readonly trustDomain: string;
  /** name of each key -> SHA-256 of its SubjectPublicKeyInfo, hex */
  readonly keys: Readonly<Record<string, string>>;
}

export function fingerprint(signer: Signer): string {
  return toHex(sha256(signer.spki));
}

/** The record, or undefined before the first start has ended. Throws KEY_INVALID, KEY_PERMISSIONS. */
export async function readRecord(path: string): Promise<KeyRecord | undefined> {
  const text = await readOwnFile(path);
  if (text === undefined) return undefined;
  try {
    const reader = new Reader(parseJson(text), 'authorities').only('version', 'trustDomain', 'keys');
    if (reader.at('version').number() !== 1) reader.at('version').fail('1');
    const keys = reader.at('keys');
    const names = Object.keys(keys.object());
    return {
      trustDomain: reader.at('trustDomain').string(),
      keys: Object.fromEntries(names.map((name) => [name, keys.at(name).string('64 hex digits', /^[0-9a-f]{64}$/)])),
    };
  } catch (cause) {
    throw new StepsealError('KEY_INVALID', `${path} is not the record of the first start`, { cause });
  }
}

export async function writeRecord(path: string, record: KeyRecord): Promise<void> {
  await writePrivateFile(path, `${canonicalJson({ version: 1, trustDomain: record.trustDomain, keys: { ...record.keys } })}\n`);
}
