import { join } from 'node:path';
import { equalBytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { decodePem, encodePem } from '../der/pem.ts';
import { readOwnFile, readPrivateFile, writePrivateFile } from '../keys/files.ts';
import { encodeSpiffeBundle } from '../spiffe/bundleDocument.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { identityOf } from '../x509/leaf.ts';
import { publicKeyOf } from './key.ts';
import { readTrust, type Trust } from './trust.ts';

/** Who the agent is: its SVID and the key of it. */
export interface AgentIdentity {
  readonly id: string;
  /** PKCS#8, DER */
  readonly key: Uint8Array;
  /** leaf first, DER */
  readonly chain: readonly Uint8Array[];
  /** of the leaf, ms since the epoch */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Key and certificates in one file: one rename exchanges both. */
export const IDENTITY_FILE = 'agent.pem';
/** the bundle as the server last said it: a SPIFFE bundle document */
export const BUNDLE_FILE = 'bundle.json';

export interface AgentState {
  readonly identity: AgentIdentity;
  readonly trust: Trust;
}

/**
 * What an earlier start has left, undefined where none has. Throws AGENT_STATE_INVALID naming the file that is damaged or
 * missing, KEY_PERMISSIONS where others can read the key.
 */
export async function readState(folder: string): Promise<AgentState | undefined> {
  const path = join(folder, IDENTITY_FILE);
  const pem = await readPrivateFile(path);
  if (pem === undefined) return undefined;
  const identity = checked(path, () => parseIdentity(pem));
  const bundlePath = join(folder, BUNDLE_FILE);
  const document = await readOwnFile(bundlePath);
  if (document === undefined) throw new StepsealError('AGENT_STATE_INVALID', `${bundlePath} is missing: the agent does not know whom to trust`);
  const trust = checked(bundlePath, () => readTrust(utf8(document)));
  return { identity, trust };
}

export async function writeIdentity(folder: string, { key, chain }: AgentIdentity): Promise<void> {
  await writePrivateFile(join(folder, IDENTITY_FILE), [encodePem('PRIVATE KEY', key), ...chain.map((der) => encodePem('CERTIFICATE', der))].join(''));
}

export async function writeTrust(folder: string, { bundle }: Trust): Promise<void> {
  await writePrivateFile(join(folder, BUNDLE_FILE), fromUtf8(encodeSpiffeBundle(bundle)));
}

/** The identity behind a key and the certificates issued for it. Throws AGENT_STATE_INVALID where they do not belong together. */
export function agentIdentity(key: Uint8Array, chain: readonly Uint8Array[]): AgentIdentity {
  const leaf = parseCertificate(chain[0] ?? new Uint8Array());
  if (!equalBytes(leaf.spki, publicKeyOf(key))) throw new StepsealError('AGENT_STATE_INVALID', 'the certificate is not of the key');
  return { id: identityOf(leaf).uri, key, chain, notBefore: leaf.notBefore, notAfter: leaf.notAfter };
}

function parseIdentity(pem: string): AgentIdentity {
  const split = pem.indexOf('-----BEGIN CERTIFICATE-----');
  const keys = decodePem(pem.slice(0, Math.max(split, 0)), 'PRIVATE KEY');
  if (keys.length !== 1) throw new StepsealError('AGENT_STATE_INVALID', 'not one key, then its certificates');
  return agentIdentity(keys[0]!, decodePem(pem.slice(split), 'CERTIFICATE'));
}

function checked<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new StepsealError('AGENT_STATE_INVALID', `${path} cannot be used: ${isStepsealError(cause) ? cause.message : 'it holds something else'}`, { cause });
  }
}
