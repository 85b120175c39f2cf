import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { isStepsealError } from '../../src/base/errors.ts';
import { toHex } from '../../src/base/hex.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { connectUnix } from '../../src/rpc/client.ts';
import { Admin } from '../../src/rpc/gen/stepseal/admin_pb.js';
import { Seal } from '../../src/rpc/gen/stepseal/seal_pb.js';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { loadTrust } from '../../src/verifier/trust.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const prehash = createPrehash();
const BATCH = 100;

interface Answered {
  readonly sha256: Uint8Array;
  readonly bundle: Uint8Array;
}

let folder: string;
let mounted: boolean;
let server: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ss-full-'));
  mounted = false;
});
afterEach(async () => {
  await stop('SIGKILL');
  if (mounted) execFileSync('umount', [folder]);
  rmSync(folder, { recursive: true, force: true });
});

async function start(before: readonly string[] = []): Promise<void> {
  const [file, ...args] = [...before, process.execPath, MAIN, 'server', '--json', '--data', join(folder, 'data'), '--http-port', '0', '--grpc-port', '0', '--log-level', 'silent'];
  server = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((done, failed) => {
    server!.stdout!.once('data', (chunk: Buffer) => done(chunk.toString()));
    server!.once('close', (code) => failed(new Error(`the server ended with ${code}`)));
  });
  expect(JSON.parse(line)).toHaveProperty('ready');
}

async function stop(signal: NodeJS.Signals): Promise<number | null> {
  if (server === undefined || server.exitCode !== null || server.signalCode !== null) return null;
  const ended = new Promise<number | null>((done) => server!.once('close', done));
  server.kill(signal);
  return ended;
}

/** Seals batch by batch until the server refuses, or `batches` are answered; what it refused with. */
async function seal(name: string, answered: Answered[], batches = Infinity): Promise<string> {
  const connection = connectUnix(join(folder, 'data/admin.sock'));
  try {
    for (let batch = 0; batch < batches; batch++) {
      const digests = Array.from({ length: BATCH }, (_, i) => sha256(utf8(`${name} ${batch} ${i}`)));
      const { items } = await connection.stub(Seal).seal({ items: digests.map((digest) => ({ name: 'x', what: { case: 'sha256', value: toHex(digest) } })) });
      items.forEach(({ bundle }, i) => answered.push({ sha256: digests[i]!, bundle }));
    }
    return 'none';
  } catch (error) {
    if (isStepsealError(error)) return error.code;
    throw error;
  } finally {
    connection.close();
  }
}

/** Every answered Seal verifies, and was in a log that the server still has. */
async function verifyAll(answered: readonly Answered[]): Promise<void> {
  const connection = connectUnix(join(folder, 'data/admin.sock'));
  const admin = connection.stub(Admin);
  const trust = loadTrust((await admin.getTrust({})).trustedRoot);
  expect(Number((await admin.getStatus({})).logSize)).toBeGreaterThanOrEqual(answered.length);
  connection.close();
  const verdicts = answered.map(({ sha256: digest, bundle }) => verifyBundle(bundle, { identity: 'any', artifact: { sha256: digest } }, { trust, prehash }));
  expect(verdicts.filter(({ status }) => status !== 'ok')).toEqual([]);
}

describe('a server whose disk is full', () => {
  it('refuses Seals with STORE_FULL, goes on when there is space, and a restart has everything that was answered', async (context) => {
    mounted = process.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=9m', 'tmpfs', folder]).status === 0;
    if (!mounted) return context.skip('mounting a tmpfs needs root');
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    writeFileSync(join(folder, 'ballast'), new Uint8Array(2_000_000));
    const answered: Answered[] = [];
    await start();
    expect(await seal('before', answered)).toBe('STORE_FULL');
    const full = answered.length;
    expect(full).toBeGreaterThan(BATCH);
    for (let i = 0; i < 3; i++) expect(await seal(`full ${i}`, answered)).toBe('STORE_FULL');
    rmSync(join(folder, 'ballast'));
    expect(await seal('space', answered, 3)).toBe('none');
    expect(await seal('again', answered)).toBe('STORE_FULL');

    // a full disk does not keep it from stopping, and not from starting
    expect(await stop('SIGTERM')).toBe(0);
    await start();
    await verifyAll(answered);
  });

  it('under a limit on the size of files loses nothing that was answered either', async () => {
    const answered: Answered[] = [];
    // 2 MiB; dash counts in blocks of 512 bytes
    await start(['sh', '-c', 'ulimit -f 4096; exec "$0" "$@"']);
    // SQLite tells no write beyond the limit from another failed write
    expect(['STORE_FULL', 'STORE_FAILED']).toContain(await seal('before', answered));
    expect(answered.length).toBeGreaterThan(BATCH);
    expect(await stop('SIGTERM')).toBe(0);
    await start();
    expect(await seal('after', answered, 3)).toBe('none');
    await verifyAll(answered);
  });
});
