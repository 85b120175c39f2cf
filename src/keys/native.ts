import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { StepsealError } from '../base/errors.ts';
import type { Prehash } from '../base/ports.ts';
import { parseSpki } from '../der/spki.ts';

/** What native/*.c exports. Errors carry the errno's name as `code`. */
export interface NativeAddon {
  /** SO_PEERCRED: who connected, at the moment of connect(2); pid 0 when it is outside this pid namespace */
  peerCredentials(fd: number): { readonly pid: number; readonly uid: number; readonly gid: number };
  /** SO_PEERPIDFD: a descriptor of that process, to be closed; ENOPROTOOPT below Linux 6.5 */
  peerPidfd(fd: number): number;
  pidfdAlive(pidfd: number): boolean;
  /** Calls back once when the process has ended; the answer stops watching. One watch a descriptor. Does not keep the event loop alive. */
  watchExit(pidfd: number, onExit: () => void): () => void;
  /** A regular file below `rootFd`, opened for reading with the rights of uid, gid and groups; `flags` of OPEN. Rejects with an errno name or NOT_REGULAR. */
  openInRoot(rootFd: number, path: string, uid: number, gid: number, groups: readonly number[], flags: number): Promise<number>;
  /** the hash is told by the digest's length: 32, 48 or 64 bytes of SHA-2; ECDSA and RSA PKCS #1 v1.5 */
  verifyDigest(spki: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean;
  /** ECDSA, DER; throws EINVAL for another key */
  signDigest(pkcs8: Uint8Array, digest: Uint8Array): Uint8Array;
  /** prctl(PR_SET_DUMPABLE): false forbids core dumps and ptrace by processes of the same user */
  setDumpable(on: boolean): void;
  /** prctl(PR_SET_CHILD_SUBREAPER) */
  setSubreaper(on: boolean): void;
}

/** Flags of openInRoot, openat2(2): without BENEATH the root is the caller's `/`, and `..` and absolute links stay in it; `folder` gives a descriptor to open files below; `override` keeps the capabilities that override permissions. */
export const OPEN = { beneath: 1, noSymlinks: 2, noXdev: 4, folder: 8, override: 16 } as const;

/** Beside the sources, or beside the released bundle. */
const FOLDERS = [join(import.meta.dirname, '../../native'), join(import.meta.dirname, 'native')];

/** Loads the addon for this machine, if its SHA-256 is the one that native/digests.json records. Throws NATIVE_UNAVAILABLE. */
function load(): NativeAddon {
  const name = `stepseal-${process.platform}-${process.arch}.node`;
  const folder = FOLDERS.find((candidate) => existsSync(join(candidate, name)));
  if (folder === undefined) throw new StepsealError('NATIVE_UNAVAILABLE', `there is no ${name} beside this program: only Linux on x64 and arm64 is supported`);
  const path = join(folder, name);
  const digests = JSON.parse(readFileSync(join(folder, 'digests.json'), 'utf8')) as { binaries: Record<string, string> };
  const found = createHash('sha256').update(readFileSync(path)).digest('hex');
  if (found !== digests.binaries[name]) {
    throw new StepsealError('NATIVE_UNAVAILABLE', `${path} is not the binary that digests.json records; it is not loaded`, { expected: digests.binaries[name] ?? 'a digest', found });
  }
  try {
    return createRequire(import.meta.url)(path) as NativeAddon;
  } catch (cause) {
    throw new StepsealError('NATIVE_UNAVAILABLE', `${path} does not load: ${(cause as Error).message}`, { cause });
  }
}

const loaded = attempt();

function attempt(): NativeAddon | StepsealError {
  try {
    return load();
  } catch (error) {
    if (error instanceof StepsealError) return error;
    throw error;
  }
}

/** The addon, or undefined where it cannot be loaded. */
export const native: NativeAddon | undefined = loaded instanceof StepsealError ? undefined : loaded;

/** The addon; throws NATIVE_UNAVAILABLE with the reason. */
export function requireNative(): NativeAddon {
  if (loaded instanceof StepsealError) throw loaded;
  return loaded;
}

// its import costs 20 ms: only where it is needed
const fallback = native === undefined ? (await import('./prehash.ts')).jsPrehash : undefined;

/** Verifying and signing of digests: by the addon (OpenSSL), or where there is none in JavaScript, some hundred times slower. */
export function createPrehash(): Prehash {
  return fallback ?? nativePrehash(native!);
}

const DIGEST_LENGTH = { sha256: 32, sha384: 48, sha512: 64 } as const;

export function nativePrehash(addon: NativeAddon): Prehash {
  return {
    verify(spki, hash, digest, signature) {
      if (digest.length !== DIGEST_LENGTH[hash] || !signsDigests(spki)) return false;
      return addon.verifyDigest(spki, digest, signature);
    },
    sign(pkcs8, hash, digest) {
      if (digest.length !== DIGEST_LENGTH[hash]) throw new StepsealError('DIGEST_INVALID', `a ${hash} digest has ${DIGEST_LENGTH[hash]} bytes`, { found: `${digest.length}` });
      try {
        return addon.signDigest(pkcs8, digest);
      } catch (cause) {
        throw new StepsealError('KEY_INVALID', 'only P-256, P-384 and P-521 keys sign a digest', { cause });
      }
    },
  };
}

/** Whether these bytes are an ECDSA or RSA key that the project allows (der/spki.ts); OpenSSL would take more. */
function signsDigests(spki: Uint8Array): boolean {
  try {
    return parseSpki(spki).algorithm !== 'ed25519';
  } catch (error) {
    if (error instanceof StepsealError) return false;
    throw error;
  }
}
