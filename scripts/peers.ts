import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PEER_FOLDER, PEERS, peerFile, type Peer } from '../test/interop/peers/table.ts';

/** npm run peers [-- NAME...]: builds what is missing in the cache; without Go it says so and exits 0, tests then skip. */
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PEERS);
const unknown = names.filter((name) => !Object.hasOwn(PEERS, name));
if (unknown.length > 0) {
  console.error(`no such peer: ${unknown.join(', ')}; there are ${Object.keys(PEERS).join(', ')}`);
  process.exit(2);
}

const missing = (names as Peer[]).filter((name) => !existsSync(peerFile(name)));
for (const name of names as Peer[]) if (!missing.includes(name)) console.log(`✓ ${basename(peerFile(name))} (cached)`);
if (missing.length > 0 && spawnSync('go', ['version']).status !== 0) {
  console.log(`skipped: Go is not installed, so these are not built: ${missing.join(', ')}`);
  process.exit(0);
}
mkdirSync(PEER_FOLDER, { recursive: true });
let failed = 0;
for (const name of missing) {
  const began = Date.now();
  const error = build(name);
  const seconds = ((Date.now() - began) / 1000).toFixed(0);
  console.log(error === undefined ? `✓ ${basename(peerFile(name))} (${seconds} s)` : `✗ ${name} (${seconds} s)\n${error}`);
  if (error !== undefined) failed++;
}
process.exit(failed > 0 ? 1 : 0);

/** Into a folder of its own beside the target, then renamed: two builds at once do no harm. Returns what went wrong. */
function build(name: Peer): string | undefined {
  const { module, folder } = PEERS[name];
  const scratch = mkdtempSync(join(PEER_FOLDER, '.build-'));
  try {
    const args = module === undefined ? ['build', '-trimpath', '-o', join(scratch, name), '.'] : ['install', '-trimpath', module];
    const { status, stderr, error } = spawnSync('go', args, {
      cwd: folder ?? scratch,
      env: { ...process.env, CGO_ENABLED: '0', GOBIN: scratch, GOTOOLCHAIN: 'local' },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    if (status !== 0) return error?.message ?? stderr.split('\n').slice(-20).join('\n');
    renameSync(join(scratch, name), peerFile(name));
    return undefined;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
