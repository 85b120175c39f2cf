import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { preparePrivateFolder } from '../../../src/keys/files.ts';
import { generateSigner, loadKey, loadOrCreateKey, type KeyFileAlgorithm } from '../../../src/keys/signer.ts';

const ALGORITHMS: readonly KeyFileAlgorithm[] = ['ecdsa-p256-sha256', 'ed25519'];
const P256 = 'ecdsa-p256-sha256';
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepseal-keys-'));
  path = join(folder, 'x.key');
});
afterEach(() => rm(folder, { recursive: true }));

const refused = (code: string) => expect.objectContaining({ name: 'StepsealError', code });

describe('key files', () => {
  it.each(ALGORITHMS)('%s: the first call makes the key, the next ones find it', async (algorithm) => {
    const made = await loadOrCreateKey(path, algorithm);
    const found = await loadOrCreateKey(path, algorithm);
    expect(found.spki).toEqual(made.spki);
    const data = Buffer.from('data');
    const signature = await found.sign(data);
    const key = createPublicKey({ key: Buffer.from(made.spki), format: 'der', type: 'spki' });
    expect(verify(algorithm === 'ed25519' ? null : 'sha256', data, key, signature)).toBe(true);
  });

  it('is plain PKCS#8 PEM of mode 0600, with nothing left beside it', async () => {
    await loadOrCreateKey(path, P256);
    const pem = await readFile(path, 'utf8');
    expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(createPrivateKey(pem).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['x.key']);
  });

  it('a file that is not there is undefined, not an error', async () => {
    expect(await loadKey(path, P256)).toBeUndefined();
  });

  it.each([0o640, 0o604, 0o644, 0o660, 0o602])('refuses mode %o', async (mode) => {
    await loadOrCreateKey(path, P256);
    await chmod(path, mode);
    await expect(loadOrCreateKey(path, P256)).rejects.toThrow(refused('KEY_PERMISSIONS'));
  });

  const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  it.each([
    ['nothing', ''],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['no key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
    ['SEC 1', other.export({ type: 'sec1', format: 'pem' }) as string],
    ['another curve', other.export({ type: 'pkcs8', format: 'pem' }) as string],
    ['another kind of key', generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string],
    ['two keys', (other.export({ type: 'pkcs8', format: 'pem' }) as string).repeat(2)],
    ['an encrypted key', other.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }) as string],
  ])('refuses a file with %s, without repeating what is in it', async (_, content) => {
    await writeFile(path, content, { mode: 0o600 });
    const error = await loadOrCreateKey(path, P256).catch((caught: unknown) => caught);
    expect(error).toEqual(refused('KEY_INVALID'));
    const body = content.split('\n')[1];
    if (body) expect(JSON.stringify(error)).not.toContain(body);
    expect(await readFile(path, 'utf8')).toBe(content);
  });

  it('refuses a folder in its place', async () => {
    await expect(loadOrCreateKey(folder, P256)).rejects.toThrow(refused('KEY_INVALID'));
  });

  it('follows a link to a key that is private, and refuses one that is not', async () => {
    const { spki } = await loadOrCreateKey(path, P256);
    const link = join(folder, 'link.key');
    await symlink(path, link);
    expect((await loadOrCreateKey(link, P256)).spki).toEqual(spki);
    await chmod(path, 0o644);
    await expect(loadOrCreateKey(link, P256)).rejects.toThrow(refused('KEY_PERMISSIONS'));
  });

  it.skipIf(process.getuid?.() !== 0)('refuses a file of another user (only root can try)', async () => {
    await loadOrCreateKey(path, P256);
    await chown(path, 12_345, 12_345);
    await expect(loadOrCreateKey(path, P256)).rejects.toThrow(refused('KEY_PERMISSIONS'));
  });

  it('a key of this process only leaves no file', async () => {
    const one = generateSigner(P256);
    expect(one.spki).not.toEqual(generateSigner(P256).spki);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('the folder for keys', () => {
  it('is made with mode 0700', async () => {
    const made = join(folder, 'a', 'keys');
    await preparePrivateFolder(made);
    expect((await stat(made)).mode & 0o777).toBe(0o700);
  });

  it.each([0o770, 0o702, 0o777])('is refused with mode %o, because others could put their key there', async (mode) => {
    await chmod(folder, mode);
    await expect(preparePrivateFolder(folder)).rejects.toThrow(refused('KEY_PERMISSIONS'));
  });

  it('loses what a crash left half written, and nothing else', async () => {
    await writeFile(join(folder, 'x.key.0123456789abcdef.tmp'), '-----BEGIN');
    await writeFile(join(folder, 'mine.tmp'), '');
    await preparePrivateFolder(folder);
    expect(await readdir(folder)).toEqual(['mine.tmp']);
  });
});
