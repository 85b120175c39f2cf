import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { runCli } from '../../src/cli/run.ts';
import { connectUnix } from '../../src/rpc/client.ts';
import { Seal } from '../../src/rpc/gen/stepseal/seal_pb.js';
import { fakeIo } from '../fakes/io.ts';
import { serverFolder, testServer } from '../fakes/testServer.ts';

const folder = serverFolder();

async function check(): Promise<{ code: number; out: string }> {
  const io = fakeIo();
  return { code: await runCli(['check-log', '--data', folder.path], io), out: io.stdout() + io.stderr() };
}

describe('stepseal check-log', () => {
  beforeAll(async () => {
    const server = await testServer(folder.path);
    const connection = connectUnix(server.adminSocket);
    const items = Array.from({ length: 300 }, (_, i) => ({ name: `${i}`, what: { case: 'sha256' as const, value: toHex(sha256(utf8(`${i}`))) } }));
    await connection.stub(Seal).seal({ items });
    connection.close();
    expect(await check()).toMatchObject({ code: 1, out: expect.stringContaining('FOLDER_LOCKED') });
    await server.stop();
  });
  afterAll(() => folder.remove());

  test('finds both logs of a stopped server whole', async () => {
    const { code, out } = await check();
    expect(code).toBe(0);
    expect(out).toMatch(/✓ log-[0-9a-f]{8}\.example\.org: 300 entries root [0-9a-f]{64}\n✓ ct-[0-9a-f]{8}\.example\.org: 1 entries/);
  });

  test('names the file in which one bit is another, and exits 1', async () => {
    const log = join(folder.path, 'logs', 'tlog');
    const bundle = readdirSync(log, { recursive: true, encoding: 'utf8' }).map((name) => join(log, name)).find((path) => path.includes('entries') && statSync(path).isFile())!;
    const bytes = readFileSync(bundle);
    bytes[1000]! ^= 1;
    writeFileSync(bundle, bytes);
    const { code, out } = await check();
    expect(code).toBe(1);
    expect(out).toContain(bundle);
    expect(out).toContain('LOG_CORRUPT');
  });

  test('is no check of a folder that no server has used', async () => {
    const empty = serverFolder();
    const io = fakeIo();
    expect(await runCli(['check-log', '--data', empty.path], io)).not.toBe(0);
    expect(io.stderr()).toContain('STORE_MISSING');
    expect(readdirSync(empty.path)).toEqual([]);
    empty.remove();
  });
});
