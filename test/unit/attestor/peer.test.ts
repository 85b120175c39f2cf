import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { peerOf } from '../../../src/attestor/peer.ts';
import { attestUnix } from '../../../src/attestor/unix.ts';
import { userName } from '../../../src/attestor/users.ts';
import { closed, OTHER, othersWork, stage, type Stage } from './callers.ts';

let here: Stage;
beforeEach(async () => {
  here = await stage();
});
afterEach(() => here.end());

describe.each(['pidfd', 'procfd'] as const)('a caller held by %s', (mode) => {
  it('is the process that connected, with its user and group', async () => {
    const ids = othersWork ? OTHER : { uid: process.getuid!(), gid: process.getgid!() };
    const child = here.caller(undefined, othersWork ? OTHER : {});
    const peer = peerOf(await here.accept(), mode);
    expect(peer).toMatchObject({ mode, pid: child.pid, ...ids });
    peer.assertAlive();
  });

  it('loses its connection when the process ends', async () => {
    const child = here.caller();
    const socket = await here.accept();
    const peer = peerOf(socket, mode);
    child.kill('SIGKILL');
    await closed(socket);
    expect(() => peer.assertAlive()).toThrowError(expect.objectContaining({ code: 'PEER_GONE' }));
  });

  it('cannot leave its connection to a child', async () => {
    const child = here.caller('hand-over');
    const socket = await here.accept();
    const heir = new Promise<number>((resolve) => child.stdout!.once('data', (data) => resolve(Number(data))));
    peerOf(socket, mode);
    await closed(socket);
    process.kill(await heir, 'SIGKILL');
  });

  it('is refused when it has ended before it is looked at', async () => {
    const child = here.caller('hand-over');
    const socket = await here.accept();
    const heir = new Promise<number>((resolve) => child.stdout!.once('data', (data) => resolve(Number(data))));
    await new Promise((resolve) => child.once('exit', resolve));
    expect(() => peerOf(socket, mode)).toThrowError(expect.objectContaining({ code: 'PEER_GONE' }));
    process.kill(await heir, 'SIGKILL');
  });
});

it('a caller is held by pidfd where the kernel can, without being asked', async () => {
  here.caller();
  expect(peerOf(await here.accept()).mode).toBe('pidfd');
});

it('a connection leaves no descriptor behind', async () => {
  const once = async (mode: 'pidfd' | 'procfd'): Promise<number> => {
    const client = connect(here.path);
    const socket = await here.accept();
    peerOf(socket, mode);
    client.destroy();
    await closed(socket);
    return readdirSync('/proc/self/fd').length;
  };
  const before = Math.max(await once('pidfd'), await once('procfd'));
  for (let i = 0; i < 10; i++) await once('pidfd');
  for (let i = 0; i < 10; i++) await once('procfd');
  expect(await once('pidfd')).toBeLessThanOrEqual(before);
});

describe('the unix attestor', () => {
  const limits = { hashExe: true, exeLimit: 1024 ** 3 };

  it('says user, executable and its digest', async () => {
    connect(here.path);
    const peer = peerOf(await here.accept());
    const exe = realpathSync(process.execPath);
    expect(await attestUnix(peer, limits)).toEqual({
      uid: process.getuid!(), gid: process.getgid!(), user: userName(process.getuid!()), path: exe, exeSha256: createHash('sha256').update(readFileSync(exe)).digest('hex'),
    });
    expect((await attestUnix(peer, { ...limits, hashExe: false })).exeSha256).toBe('');
  });

  it('refuses an executable above the limit', async () => {
    connect(here.path);
    const peer = peerOf(await here.accept());
    await expect(attestUnix(peer, { ...limits, exeLimit: 1000 })).rejects.toMatchObject({ code: 'EXE_TOO_LARGE', expected: 'at most 1000 bytes' });
  });

  it('says nothing of a caller that has ended meanwhile', async () => {
    const child = here.caller();
    const socket = await here.accept();
    const peer = peerOf(socket);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    await expect(attestUnix(peer, { ...limits, hashExe: false })).rejects.toMatchObject({ code: 'PEER_GONE' });
  });

  it('takes names of other users from passwd, none where there is none', () => {
    const passwd = `${here.folder}/passwd`;
    writeFileSync(passwd, 'root:x:0:0:root:/root:/bin/sh\nzoe:x:4711:4711::/:/bin/sh\n');
    expect(userName(4711, passwd)).toBe('zoe');
    expect(userName(4712, passwd)).toBe('');
  });
});
