import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync, chmodSync, chownSync, appendFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ARTIFACT_LIMITS, hashFile, openFolder, type FileRights, type HashRequest } from '../../../src/attestor/file.ts';

const root = process.getuid?.() === 0;
const own: FileRights = { uid: process.getuid!(), gid: process.getgid!(), groups: [] };
let folder: string;
let rootFd: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepseal-file-'));
  chmodSync(folder, 0o755);
  rootFd = openSync(folder, 'r');
});

afterEach(() => {
  closeSync(rootFd);
  rmSync(folder, { recursive: true });
});

const at = (path: string, over: Partial<HashRequest> = {}): HashRequest => ({ rootFd, path, rights: own, limits: ARTIFACT_LIMITS, ...over });
const put = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return `/${name}`;
};
const sha256 = (content: string | Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(content).digest());
const refused = (request: HashRequest, code: string): Promise<void> => expect(hashFile(request)).rejects.toMatchObject({ code });

describe('a file that a caller names', () => {
  it('is hashed whole; its content is kept where it is small enough', async () => {
    const big = new Uint8Array(3_000_001).fill(7);
    expect(await hashFile(at(put('a', 'hello'), { keep: 5 }))).toEqual({ sha256: sha256('hello'), size: 5, content: new Uint8Array(Buffer.from('hello')) });
    expect((await hashFile(at(put('a', 'hello'), { keep: 4 }))).content).toBeUndefined();
    expect(await hashFile(at(put('b', big)))).toEqual({ sha256: sha256(big), size: big.length, content: undefined });
    expect((await hashFile(at(put('empty', '')))).sha256).toEqual(sha256(''));
  });

  it('is found through links, which stay inside the root', async () => {
    put('a', 'inside');
    symlinkSync('/a', join(folder, 'absolute'));
    symlinkSync('../../../a', join(folder, 'up'));
    expect((await hashFile(at('/absolute'))).sha256).toEqual(sha256('inside'));
    expect((await hashFile(at('/up'))).sha256).toEqual(sha256('inside'));
    symlinkSync('/etc/hostname', join(folder, 'outside'));
    await refused(at('/outside'), 'FILE_NOT_FOUND');
  });

  it('is refused with `..`, relative, empty, with NUL, or too long', async () => {
    for (const path of ['/../a', '/a/../b', '/..']) await refused(at(path), 'FILE_OUTSIDE_ROOT');
    for (const path of ['a', '', '/a\0b', `/${'x/'.repeat(2100)}`]) await refused(at(path), 'FILE_PATH_INVALID');
    await refused(at(`/${'x'.repeat(300)}`), 'FILE_PATH_INVALID');
  });

  it('is refused when it is missing, a folder, a FIFO, a socket, a device, or a link of /proc', async () => {
    await refused(at('/none'), 'FILE_NOT_FOUND');
    await refused(at(`${put('a', '')}/b`), 'FILE_NOT_FOUND');
    mkdirSync(join(folder, 'dir'));
    await refused(at('/dir'), 'FILE_NOT_REGULAR');
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    await refused(at('/fifo'), 'FILE_NOT_REGULAR');
    const server = createServer().listen(join(folder, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    await refused(at('/socket'), 'FILE_NOT_REGULAR');
    await new Promise((resolve) => server.close(resolve));
    const system = openSync('/', 'r');
    await refused(at('/dev/zero', { rootFd: system }), 'FILE_NOT_REGULAR');
    await refused(at(`/proc/${process.pid}/exe`, { rootFd: system }), 'FILE_NOT_REGULAR');
    await refused(at('/proc/self/root/etc/hostname', { rootFd: system }), 'FILE_NOT_REGULAR');
    closeSync(system);
  });

  it('is refused by size before a byte is read, sparse or not', async () => {
    put('sparse', '');
    truncateSync(join(folder, 'sparse'), 64 * 1024 ** 3);
    await refused(at('/sparse'), 'FILE_TOO_LARGE');
    await refused(at(put('a', '123456'), { limits: { bytes: 5, ms: 1000 } }), 'FILE_TOO_LARGE');
    truncateSync(join(folder, 'sparse'), 100_000);
    expect((await hashFile(at('/sparse'))).sha256).toEqual(sha256(new Uint8Array(100_000)));
  });

  it('is refused when it changes while it is read', async () => {
    put('a', new Uint8Array(40_000_000));
    const hashing = hashFile(at('/a'));
    const change = setInterval(() => appendFileSync(join(folder, 'a'), 'x'), 1);
    await expect(hashing).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    clearInterval(change);
  });

  it('is refused when it cannot be read in time', async () => {
    put('a', new Uint8Array(40_000_000));
    await refused(at('/a', { limits: { bytes: 1e9, ms: 1 } }), 'FILE_TOO_SLOW');
  });

  it.skipIf(!root)('is read with the rights of the caller, not of the agent', async () => {
    const caller: FileRights = { uid: 4711, gid: 4711, groups: [] };
    const file = (name: string, uid: number, gid: number, mode: number): string => {
      put(name, name);
      chownSync(join(folder, name), uid, gid);
      chmodSync(join(folder, name), mode);
      return `/${name}`;
    };
    await refused(at(file('root', 0, 0, 0o600), { rights: caller }), 'FILE_UNREADABLE');
    await refused(at(file('rootgroup', 0, 0, 0o640), { rights: caller }), 'FILE_UNREADABLE');
    await refused(at(file('other', 4712, 4712, 0o640), { rights: caller }), 'FILE_UNREADABLE');
    expect((await hashFile(at('/other', { rights: { ...caller, groups: [4712] } }))).sha256).toEqual(sha256('other'));
    expect((await hashFile(at(file('own', 4711, 4711, 0o400), { rights: caller }))).sha256).toEqual(sha256('own'));
    expect((await hashFile(at(file('world', 0, 0, 0o644), { rights: caller }))).sha256).toEqual(sha256('world'));
    // the threads have their own identity back
    for (let i = 0; i < 8; i++) expect((await hashFile(at('/root'))).sha256).toEqual(sha256('root'));
    expect(execFileSync('id', ['-u'], { encoding: 'utf8' }).trim()).toBe('0');
    const denied = Array.from({ length: 16 }, () => hashFile(at('/root', { rights: caller })).catch((error: { code: string }) => error.code));
    const allowed = Array.from({ length: 16 }, () => hashFile(at('/root')).then(({ size }) => size));
    expect(new Set(await Promise.all(denied))).toEqual(new Set(['FILE_UNREADABLE']));
    expect(new Set(await Promise.all(allowed))).toEqual(new Set([4]));
  });

  it.skipIf(!root)('of another user is read for root only where that root may override permissions, as one in a namespace of its own may not', async () => {
    put('theirs', 'theirs');
    mkdirSync(join(folder, 'closed'));
    put('closed/own', 'own');
    for (const name of ['theirs', 'closed']) {
      chownSync(join(folder, name), 4711, 4711);
      chmodSync(join(folder, name), 0o700);
    }
    const caller: FileRights = { uid: 0, gid: 0, groups: [] };
    for (const path of ['/theirs', '/closed/own']) {
      await refused(at(path, { rights: caller }), 'FILE_UNREADABLE');
      expect((await hashFile(at(path, { rights: { ...caller, overrides: true } }))).size).toBeGreaterThan(0);
    }
    // the threads have their own capabilities back
    expect(new Set(await Promise.all(Array.from({ length: 16 }, () => readFile(join(folder, 'closed/own'), 'utf8'))))).toEqual(new Set(['own']));
  });

  it('leaves no descriptor open', async () => {
    const before = readdirSync('/proc/self/fd').length;
    await hashFile(at(put('a', 'x')));
    await refused(at('/none'), 'FILE_NOT_FOUND');
    mkdirSync(join(folder, 'dir'));
    await refused(at('/dir'), 'FILE_NOT_REGULAR');
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });
});

describe('a result file', () => {
  const result = (path: string): HashRequest => at(path, { beneath: true });

  it('is read below its folder', async () => {
    put('a', 'value');
    expect((await hashFile(result('a'))).sha256).toEqual(sha256('value'));
  });

  it('is refused behind any symbolic link, outside, or on another mount', async () => {
    put('a', 'value');
    symlinkSync('a', join(folder, 'link'));
    await refused(result('link'), 'FILE_NOT_REGULAR');
    mkdirSync(join(folder, 'dir'));
    put('dir/b', 'b');
    symlinkSync('dir', join(folder, 'dirlink'));
    await refused(result('dirlink/b'), 'FILE_NOT_REGULAR');
    await refused(result('/a'), 'FILE_PATH_INVALID');
    await refused(result('../a'), 'FILE_OUTSIDE_ROOT');
    const system = openSync('/', 'r');
    await refused({ ...result('proc/version'), rootFd: system }, 'FILE_OUTSIDE_ROOT');
    closeSync(system);
  });

  it('is read in a folder that is reached without links', async () => {
    mkdirSync(join(folder, 'results'));
    put('results/a', 'value');
    symlinkSync('results', join(folder, 'link'));
    const fd = await openFolder(rootFd, '/results', own);
    expect((await hashFile({ ...result('a'), rootFd: fd! })).sha256).toEqual(sha256('value'));
    closeSync(fd!);
    expect(await openFolder(rootFd, '/none', own)).toBeUndefined();
    expect(await openFolder(rootFd, '/results/a', own)).toBeUndefined();
    await expect(openFolder(rootFd, '/link', own)).rejects.toMatchObject({ code: 'FILE_NOT_REGULAR' });
  });
});
