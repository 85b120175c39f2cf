import { sha256, utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { parseSpki } from '../der/spki.ts';

const NEWLINE = Uint8Array.of(0x0a);

/**
 * Full 32-byte key id of a log in Rekor v2's form, of which notes carry the first 4 bytes. `spki`: DER.
 * Ed25519: SHA-256(name ‖ 0x0A ‖ 0x01 ‖ 32-byte key) (C2SP signed-note); ECDSA: SHA-256(SPKI), as RFC 6962 and Rekor do.
 * Throws LOG_KEY_UNSUPPORTED for other keys, and the codes of parseSpki.
 */
export function logKeyId(name: string, spki: Uint8Array): Uint8Array {
  const { algorithm } = parseSpki(spki);
  // the key is the last 32 bytes of its SubjectPublicKeyInfo (RFC 8410 section 4)
  if (algorithm === 'ed25519') return sha256(utf8(name), NEWLINE, Uint8Array.of(0x01), spki.subarray(-32));
  if (algorithm === 'rsa') throw new StepsealError('LOG_KEY_UNSUPPORTED', 'a key that no log of ours has', { expected: 'Ed25519 or ECDSA', found: algorithm });
  return sha256(spki);
}

/** Log ID of a CT log: SHA-256 of the SPKI (RFC 6962 section 3.2). */
export function ctLogId(spki: Uint8Array): Uint8Array {
  return sha256(spki);
}

/** Key id of a CT log's notes: SHA-256(name ‖ 0x0A ‖ 0x05 ‖ log ID) (C2SP static-ct-api, "Checkpoints"). */
export function ctKeyId(name: string, spki: Uint8Array): Uint8Array {
  return sha256(utf8(name), NEWLINE, Uint8Array.of(0x05), ctLogId(spki));
}
