import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { parseBundle } from '../../src/envelope/bundle.ts';
import { checkLog } from '../../src/log/check.ts';
import { ctKey, tlogKey } from '../../src/log/checkpoints.ts';
import { STATIC_CT, TLOG } from '../../src/log/format.ts';
import { openLog } from '../../src/log/log.ts';
import { verifyConsistency } from '../../src/merkle/verify.ts';
import { loadKey } from '../../src/keys/signer.ts';
import { connectUnix } from '../../src/rpc/client.ts';
import { Admin } from '../../src/rpc/gen/stepseal/admin_pb.js';
import { Seal } from '../../src/rpc/gen/stepseal/seal_pb.js';
import { readIdentity } from '../../src/store/config.ts';
import { openDatabase } from '../../src/store/database.ts';
import { openLogStorage } from '../../src/store/logStorage.ts';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { loadTrust } from '../../src/verifier/trust.ts';

const SEEDS = Number(process.env['STEPSEAL_FAULT_SEEDS'] ?? 5);
const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const WORKERS = 4;
const prehash = createPrehash();

interface Answered {
  readonly sha256: Uint8Array;
  readonly bundle: Uint8Array;
}

let server: ChildProcess | undefined;
let folder: string | undefined;

afterEach(async () => {
  if (server !== undefined) await killed(server);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

describe('kill -9 of the real server under load', () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed))('keeps everything that it had answered, seed %i', async (seed) => {
    folder = mkdtempSync(join(tmpdir(), 'ss-kill-'));
    const answered: Answered[] = [];
    // killed twice, so that the second life begins with what the first left
    for (const life of [0, 1]) {
      await start(folder);
      await load(folder, answered, 30 + ((seed * 7919 + life * 104_729) % 400), `${seed} ${life}`);
    }
    await start(folder);
    const connection = connectUnix(join(folder, 'admin.sock'));
    const { trustedRoot } = await connection.stub(Admin).getTrust({});
    connection.close();
    const trust = loadTrust(trustedRoot);
    for (const { sha256: digest, bundle } of answered) {
      const verdict = verifyBundle(bundle, { identity: 'any', artifact: { sha256: digest } }, { trust, prehash });
      expect(`${verdict.status} ${verdict.code ?? ''}`).toBe('ok ');
    }
    await killed(server!);
    await checkLogs(folder, answered);
  });
});

async function start(data: string): Promise<void> {
  server = spawn(process.execPath, [MAIN, 'server', '--json', '--data', data, '--http-port', '0', '--grpc-port', '0', '--log-level', 'error'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((done, failed) => {
    server!.stdout!.once('data', (chunk: Buffer) => done(chunk.toString()));
    server!.once('close', (code) => failed(new Error(`the server ended with ${code}`)));
  });
  expect(JSON.parse(line)).toHaveProperty('ready');
}

async function killed(child: ChildProcess): Promise<void> {
  // a process that a signal ended has no exit code
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((done) => child.once('close', () => done()));
  child.kill('SIGKILL');
  await gone;
}

/** Seals from several callers at once until the server is killed, `afterMs` after the first answer. */
async function load(data: string, answered: Answered[], afterMs: number, name: string): Promise<void> {
  const connections = Array.from({ length: WORKERS }, () => connectUnix(join(data, 'admin.sock')));
  let over = false;
  let death: Promise<void> | undefined;
  const work = connections.map(async (connection, worker) => {
    const client = connection.stub(Seal);
    for (let round = 0; !over; round++) {
      const digests = [0, 1, 2].map((item) => sha256(utf8(`${name} ${worker} ${round} ${item}`)));
      try {
        const { items } = await client.seal({ items: digests.map((digest) => ({ name: 'x', what: { case: 'sha256', value: toHex(digest) } })) }, { timeoutMs: 5_000 });
        items.forEach(({ bundle }, index) => answered.push({ sha256: digests[index]!, bundle }));
        death ??= wait(afterMs).then(() => killed(server!));
      } catch (error) {
        // the only failure there may be is that the server is gone
        expect(error).toMatchObject({ code: expect.stringMatching(/^(?:SERVICE_UNREACHABLE|CALL_CANCELLED|RPC_FAILED)$/) });
        over = true;
      }
    }
  });
  await Promise.all(work);
  expect(death, 'a Seal was answered before the end').toBeDefined();
  await death;
  for (const connection of connections) connection.close();
}

async function checkLogs(data: string, answered: readonly Answered[]): Promise<void> {
  const db = openDatabase(data);
  try {
    const { logOrigin, ctOrigin } = readIdentity(db)!;
    const keyOf = async (name: string, algorithm: 'ed25519' | 'ecdsa-p256-sha256') => (await loadKey(join(data, 'keys', `${name}.key`), algorithm))!;
    const logs = join(data, 'logs');
    const storage = openLogStorage({ db, folder: logs, log: 'tlog' });
    const signer = await keyOf('log', 'ed25519');
    const tlog = await checkLog({ storage, format: TLOG, key: tlogKey(logOrigin, signer) });
    const ct = await checkLog({ storage: openLogStorage({ db, folder: logs, log: 'ct' }), format: STATIC_CT, key: ctKey(ctOrigin, await keyOf('ct-log', 'ecdsa-p256-sha256')) });
    expect([...tlog.problems, ...ct.problems]).toEqual([]);
    expect(ct.size).toBeGreaterThanOrEqual(answered.length / 3);

    const log = await openLog({ storage, signer, origin: logOrigin, warn: (error) => expect.fail(String(error)) });
    for (const { bundle } of answered) {
      const { logIndex, canonicalizedBody, inclusionProof: { treeSize, rootHash } } = parseBundle(bundle).tlogEntries[0]!;
      expect(await log.entry(logIndex)).toEqual(canonicalizedBody);
      // the tree that was answered with is the beginning of the one that is there
      verifyConsistency({ olderSize: treeSize, olderRoot: rootHash, newerSize: tlog.size, newerRoot: tlog.root, proof: await log.consistency(treeSize) });
    }
    await log.close();
  } finally {
    db.close();
  }
}
