import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { StepsealError } from '../base/errors.ts';
import type { Signer } from '../base/ports.ts';
import { readPrivateFile, writePrivateFile } from './files.ts';

/** What Stepseal makes for itself: P-256 for certificates, CT and JWT, either of both for the log (DESIGN §5). */
export type KeyFileAlgorithm = 'ecdsa-p256-sha256' | 'ed25519';

/** A key that lives and dies with this process. */
export function generateSigner(algorithm: KeyFileAlgorithm): Signer {
  return signerOf(generateKey(algorithm), algorithm);
}

/**
 * The key in a PKCS#8 PEM file (0600), made there when there is none. Throws KEY_INVALID for other content or another
 * algorithm, KEY_PERMISSIONS where others may read it.
 */
export async function loadOrCreateKey(path: string, algorithm: KeyFileAlgorithm): Promise<Signer> {
  return (await loadKey(path, algorithm)) ?? createKey(path, algorithm);
}

/** The key in a file, or undefined where there is none. Throws KEY_INVALID, KEY_PERMISSIONS. */
export async function loadKey(path: string, algorithm: KeyFileAlgorithm): Promise<Signer | undefined> {
  const pem = await readPrivateFile(path);
  return pem === undefined ? undefined : signerOf(parsePrivateKey(pem, algorithm, path), algorithm);
}

async function createKey(path: string, algorithm: KeyFileAlgorithm): Promise<Signer> {
  const key = generateKey(algorithm);
  await writePrivateFile(path, key.export({ type: 'pkcs8', format: 'pem' }) as string);
  return signerOf(key, algorithm);
}

function generateKey(algorithm: KeyFileAlgorithm): KeyObject {
  return algorithm === 'ed25519' ? generateKeyPairSync('ed25519').privateKey : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

// RFC 7468 section 10: one block, nothing else; the text is never put into an error
const PKCS8 = /^-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END PRIVATE KEY-----\n?$/;

function parsePrivateKey(pem: string, algorithm: KeyFileAlgorithm, path: string): KeyObject {
  const invalid = (found: string, cause?: unknown): StepsealError =>
    new StepsealError('KEY_INVALID', `${path} does not hold the key that belongs there`, { expected: `one PKCS#8 PEM block, ${algorithm}`, found, cause });
  if (!PKCS8.test(pem)) throw invalid('other content');
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw invalid('a block that is no private key', cause);
  }
  const found = key.asymmetricKeyType === 'ec' ? `ec ${key.asymmetricKeyDetails?.namedCurve}` : `${key.asymmetricKeyType}`;
  if (found !== (algorithm === 'ed25519' ? 'ed25519' : 'ec prime256v1')) throw invalid(found);
  return key;
}

function signerOf(key: KeyObject, algorithm: KeyFileAlgorithm): Signer {
  const digest = algorithm === 'ed25519' ? null : 'sha256';
  return {
    algorithm,
    spki: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    sign: (data) => sign(digest, data, key),
  };
}
