import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { build, compilerOf, sourcesDigest, TARGETS, type Arch, type Digests } from '../../../scripts/native.ts';
import { requireNative } from '../../../src/keys/native.ts';

const folder = mkdtempSync(join(tmpdir(), 'stepseal-native-'));
afterAll(() => rmSync(folder, { recursive: true }));

const native = join(import.meta.dirname, '../../../native');
const recorded = JSON.parse(readFileSync(join(native, 'digests.json'), 'utf8')) as Digests;
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('the committed binaries', () => {
  it('are the ones that digests.json records, of the sources that are here', () => {
    for (const [name, digest] of Object.entries(recorded.binaries)) expect([name, sha256(join(native, name))]).toEqual([name, digest]);
    expect(recorded.sources).toBe(sourcesDigest());
  });

  it.each(Object.keys(TARGETS) as Arch[])('come out the same where the same compiler builds them again: %s', (arch) => {
    const compiler = compilerOf(arch);
    if (compiler === undefined) return;
    const output = join(folder, `${arch}.node`);
    build(arch, output);
    if (compiler === recorded.compilers[arch]) expect(sha256(output)).toBe(recorded.binaries[`stepseal-linux-${arch}.node`]);
    if (arch === process.arch) expect(Object.keys(createRequire(import.meta.url)(output) as object)).toEqual(Object.keys(requireNative()));
  });

  it('load on every other Node that is in PATH, 20 or newer', () => {
    for (const path of (process.env['PATH'] ?? '').split(':').map((each) => join(each, 'node')).filter((each) => existsSync(each))) {
      const script = `console.log(Object.keys(require(${JSON.stringify(join(native, `stepseal-linux-${process.arch}.node`))})).join())`;
      expect(execFileSync(path, ['-e', script], { encoding: 'utf8' }).trim()).toBe(Object.keys(requireNative()).join());
    }
  });

  it('load in a worker too, which can end while it watches a process', async () => {
    const source = `
      const { createServer, connect } = await import('node:net');
      const { requireNative } = await import(${JSON.stringify(new URL('../../../src/keys/native.ts', import.meta.url).href)});
      const path = ${JSON.stringify(join(folder, 'worker.sock'))};
      const server = createServer((socket) => {
        const addon = requireNative();
        const pidfd = addon.peerPidfd(socket._handle.fd);
        if (!addon.pidfdAlive(pidfd)) throw new Error('not alive');
        addon.watchExit(pidfd, () => process.exit(3))();
        addon.watchExit(pidfd, () => process.exit(4));
        process.exit(7);
      }).listen(path, () => connect(path));
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    const code = await new Promise((resolve, reject) => {
      worker.once('exit', resolve);
      worker.once('error', reject);
    });
    expect(code).toBe(7);
  });
});

describe('the addon refuses wrong arguments with an error', () => {
  const addon = requireNative() as unknown as Record<string, (...args: unknown[]) => unknown>;

  it.each(Object.keys(addon))('%s', (name) => {
    expect(() => addon[name]!()).toThrow();
    expect(() => addon[name]!(Symbol('x'), {}, null, 1, 2, 3)).toThrow();
  });

  it('and names the errno of what the kernel refused', () => {
    const missing = 1_000_000;
    expect(() => addon['peerCredentials']!(missing)).toThrowError(expect.objectContaining({ code: 'EBADF' }));
    expect(() => addon['peerPidfd']!(missing)).toThrowError(expect.objectContaining({ code: 'EBADF' }));
    expect(() => addon['pidfdAlive']!(missing)).toThrowError(expect.objectContaining({ code: 'EBADF' }));
    expect(() => addon['watchExit']!(missing, () => undefined)).toThrowError(expect.objectContaining({ code: 'EBADF' }));
  });
});

it('subreaper and dumpable can be set and reset', () => {
  const addon = requireNative();
  addon.setSubreaper(true);
  addon.setSubreaper(false);
  addon.setDumpable(false);
  addon.setDumpable(true);
});
