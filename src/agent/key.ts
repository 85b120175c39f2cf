import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { buildCsr } from '../x509/csr.ts';

/** A P-256 key of this agent, for itself or for a caller. */
export interface FreshKey {
  /** PKCS#8, DER */
  readonly pkcs8: Uint8Array;
  /** SubjectPublicKeyInfo, DER */
  readonly spki: Uint8Array;
}

const generate = promisify(generateKeyPair);

/** Made in the thread pool: many workloads may ask at once. */
export async function freshKey(): Promise<FreshKey> {
  const { publicKey, privateKey } = await generate('ec', {
    namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
  return { pkcs8: new Uint8Array(privateKey), spki: new Uint8Array(publicKey) };
}

/** A request without names: who the agent is, the server says. */
export function csrOf({ pkcs8, spki }: FreshKey): Promise<Uint8Array> {
  const key = privateKey(pkcs8);
  return buildCsr(spki, undefined, (data) => sign('sha256', data, key));
}

/** SubjectPublicKeyInfo of a PKCS#8 key, both DER. */
export function publicKeyOf(pkcs8: Uint8Array): Uint8Array {
  return new Uint8Array(createPublicKey(privateKey(pkcs8)).export({ type: 'spki', format: 'der' }));
}

function privateKey(pkcs8: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(pkcs8), type: 'pkcs8', format: 'der' });
}
