import { open, type FileHandle } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { StepsealError } from '../base/errors.ts';
import type { Peer } from './peer.ts';
import { procExe } from './procfs.ts';
import { userName } from './users.ts';

/** What the unix attestor found of a caller. */
export interface UnixFacts {
  readonly uid: number;
  readonly gid: number;
  /** empty where the uid has no name */
  readonly user: string;
  /** of the executable, as the caller's mount namespace names it; empty where it may not be read */
  readonly path: string;
  /** hex; empty when not asked for */
  readonly exeSha256: string;
}

export interface UnixAttestorOptions {
  /** the digest of the executable is read at each attestation: an execve(2) may have come between */
  readonly hashExe: boolean;
  /** bytes; a larger executable is refused: EXE_TOO_LARGE */
  readonly exeLimit: number;
}

/** uid, gid, user, executable of a caller. Throws PEER_GONE, EXE_UNREADABLE, EXE_TOO_LARGE. */
export async function attestUnix(peer: Peer, options: UnixAttestorOptions): Promise<UnixFacts> {
  const path = procExe(peer.folder) ?? '';
  const exeSha256 = options.hashExe ? await hashExe(peer, options.exeLimit) : '';
  const facts = { uid: peer.uid, gid: peer.gid, user: userName(peer.uid), path, exeSha256 };
  peer.assertAlive();
  return facts;
}

async function hashExe(peer: Peer, limit: number): Promise<string> {
  let file: FileHandle;
  try {
    // the link leads to the file itself, also where its name was removed or is hidden by a mount
    file = await open(`${peer.folder}/exe`);
  } catch (cause) {
    peer.assertAlive();
    throw new StepsealError('EXE_UNREADABLE', 'the executable of the caller cannot be read', { cause });
  }
  try {
    const { size } = await file.stat();
    if (size > limit) throw new StepsealError('EXE_TOO_LARGE', 'the executable of the caller is larger than the limit', { expected: `at most ${limit} bytes`, found: `${size} bytes` });
    const state = createHash('sha256');
    const buffer = Buffer.allocUnsafe(256 * 1024);
    for (let at = 0; at < size;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) break;
      state.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return state.digest('hex');
  } finally {
    await file.close();
  }
}
