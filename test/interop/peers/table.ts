import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Foreign programs that tests hold against ours; built by `npm run peers` into a cache outside the repository. */
export type Peer = 'cosign' | 'spiffepeer' | 'certcheck' | 'sgverify';

interface Source {
  /** another project's program, as `go install` names it */
  readonly module?: `${string}@v${string}`;
  /** a program of ours in this folder */
  readonly folder?: string;
}

export const PEERS: Readonly<Record<Peer, Source>> = {
  cosign: { module: 'github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3' },
  spiffepeer: { folder: join(import.meta.dirname, 'spiffepeer') },
  certcheck: { folder: join(import.meta.dirname, 'certcheck') },
  sgverify: { folder: join(import.meta.dirname, 'sgverify') },
};

export const PEER_FOLDER = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'stepseal/peers/bin');

/** Where the program is, or will be; the name holds the version, or a digest of our sources. */
export function peerFile(name: Peer): string {
  const { module, folder } = PEERS[name];
  return join(PEER_FOLDER, `${name}-${module === undefined ? sourceDigest(folder!) : module.split('@v')[1]}`);
}

function sourceDigest(folder: string): string {
  const hash = createHash('sha256');
  for (const path of globSync('{go.mod,go.sum,*.go}', { cwd: folder }).sort()) hash.update(`${path}\0`).update(readFileSync(join(folder, path))).update('\0');
  return hash.digest('hex').slice(0, 12);
}

/** Why the peer cannot be used, undefined when it can: `test.skipIf(reason)` after printing it. */
export function peerMissing(name: Peer): string | undefined {
  return existsSync(peerFile(name)) ? undefined : `skipped: ${name} is not built; \`npm run peers\` builds it where Go is installed`;
}
