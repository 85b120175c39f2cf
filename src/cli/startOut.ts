import { chmodSync, cpSync, existsSync, lstatSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StepsealError } from '../base/errors.ts';
import { assertOwnFolder } from '../keys/files.ts';
import { writableFolder } from './fileErrors.ts';

/** One file of evidence in the output folder. */
export interface WrittenBundle {
  /** relative to the output folder */
  readonly path: string;
  readonly identity: string;
}

export interface WrittenAttestation extends WrittenBundle {
  readonly predicateType: string;
}

export interface WrittenArtifact {
  /** relative; undefined where no file stands behind the digest */
  readonly path: string | undefined;
  readonly name: string;
  readonly sha256: string;
  readonly bundle: WrittenBundle;
}

/** The output of one run: collected beside the folder and put in its place whole. */
export interface OutFolder {
  readonly write: (name: string, bytes: Uint8Array | string) => string;
  /** name of a file that is taken by nothing yet */
  readonly free: (name: string) => string;
  readonly path: (name: string) => string;
  /** Removes what runs that were killed have left. The state folder must be this run's alone: its server holds the lock. */
  readonly sweep: () => void;
  readonly publish: () => void;
  readonly discard: () => void;
}

const SUMMARY = 'summary.json';
const STAGED = 'out-';
/** Of 255 bytes, what `.sigstore.json` and a number leave. */
const MAX_NAME = 200;

/** What an earlier run left at `folder` is replaced at the end. Throws OUT_FOLDER_TAKEN where something else is there, or at the end is; KEY_PERMISSIONS; FILE_UNWRITABLE. */
export function openOutFolder(folder: string, state: string): OutFolder {
  writableFolder(dirname(folder), 0o777);
  const before = placeOf(folder);
  if (existsSync(folder) && !existsSync(join(folder, SUMMARY))) {
    throw new StepsealError('OUT_FOLDER_TAKEN', `${folder} exists and was not written by Stepseal`, { expected: `an empty place, or a folder with a ${SUMMARY} of ours` });
  }
  writableFolder(state, 0o700);
  assertOwnFolder(state);
  // in the state folder, which steps do not see
  const staged = mkdtempSync(join(state, STAGED));
  const taken = new Set<string>();
  const free = (wanted: string): string => {
    const safe = basename(wanted).replace(/[^A-Za-z0-9._+@-]/g, '_').replace(/^\.+/, '_').slice(0, MAX_NAME) || 'artifact';
    let name = safe;
    for (let n = 2; taken.has(name); n++) name = `${n}-${safe}`;
    taken.add(name);
    return name;
  };
  for (const name of [SUMMARY, 'trusted_root.json', 'signing_config.json', 'provenance.sigstore.json']) taken.add(name);
  return {
    write(name, bytes) {
      writeFileSync(join(staged, name), bytes, { mode: 0o644 });
      return name;
    },
    free,
    path: (name) => join(staged, name),
    sweep() {
      const stale = readdirSync(state).filter((name) => name.startsWith(STAGED) && join(state, name) !== staged);
      for (const name of stale) rmSync(join(state, name), { recursive: true });
    },
    publish() {
      const now = placeOf(folder);
      // where a workspace holds the place, a step could have its removal lead elsewhere
      if (now !== before) throw new StepsealError('OUT_FOLDER_TAKEN', `${folder} is not the place that it was when the run began; nothing is written there`, { expected: before, found: now });
      publish(staged, folder);
    },
    discard: () => rmSync(staged, { recursive: true, force: true }),
  };
}

/** Device and inode of a folder and of the one that holds it. */
function placeOf(folder: string): string {
  const [parent, own] = [dirname(folder), folder].map((path) => lstatSync(path, { throwIfNoEntry: false }));
  const text = (about: typeof own): string => (about === undefined ? 'nothing' : `${about.dev}:${about.ino}`);
  return `${text(own)} in ${text(parent)}`;
}

/** The folder appears whole, also where it is on another file system than the state. */
function publish(staged: string, folder: string): void {
  chmodSync(staged, 0o755);
  rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(staged, folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const part = `${folder}.part`;
    cpSync(staged, part, { recursive: true });
    rmSync(staged, { recursive: true });
    renameSync(part, folder);
  }
}
