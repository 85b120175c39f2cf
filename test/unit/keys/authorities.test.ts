import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/hex.ts';
import { openAuthorities, type Authorities, type AuthoritiesOptions } from '../../../src/keys/authorities.ts';
import { systemRng } from '../../../src/keys/system.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const FILES = [
  'identity-root.key', 'identity-root.crt', 'signing-root.key', 'signing-root.crt', 'signing-intermediate.key', 'signing-intermediate.crt',
  'tsa.key', 'tsa.crt', 'jwt.key', 'ct-log.key', 'log.key', 'authorities.json',
];

let folder: string;
let now: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepseal-authorities-'));
  now = NOW;
});
afterEach(() => rm(folder, { recursive: true }));

const open = (options: Partial<AuthoritiesOptions> = {}): Promise<Authorities> =>
  openAuthorities({ folder, trustDomain: 'example.org', clock: { now: () => now }, rng: systemRng, mayCreate: true, ...options });
const later = (options: Partial<AuthoritiesOptions> = {}): Promise<Authorities> => open({ mayCreate: false, ...options });
const file = (name: string): string => join(folder, name);
const refused = (code: string, name: string) => expect.objectContaining({ code, message: expect.stringContaining(file(name)) as string });
const contents = async (): Promise<string[]> => Promise.all((await readdir(folder)).sort().map(async (name) => `${name}: ${await readFile(file(name), 'utf8')}`));
const identities = (all: Authorities): string[] => [
  ...[all.identityRoot, all.signingRoot, all.signingIntermediate(), all.tsa()].map((one) => toHex(one.certificate.der)),
  ...[all.jwt, all.log, all.ctLog].map((one) => toHex(one.spki)),
];

async function elsewhere<T>(use: (other: string) => Promise<T>, options: Partial<AuthoritiesOptions> = {}): Promise<T> {
  const other = await mkdtemp(join(tmpdir(), 'stepseal-authorities-'));
  try {
    await open({ ...options, folder: other });
    return await use(other);
  } finally {
    await rm(other, { recursive: true });
  }
}

describe('the first start', () => {
  it('makes every key and certificate, private, and says so', async () => {
    expect((await open()).created).toBe(true);
    expect((await readdir(folder)).sort()).toEqual([...FILES].sort());
    for (const name of FILES) expect((await stat(file(name))).mode & 0o777).toBe(0o600);
  });

  it('refuses a trust domain that no URI name constraint can hold, and makes nothing of it', async () => {
    await expect(open({ trustDomain: 'my_domain.org' })).rejects.toThrow(expect.objectContaining({ code: 'TRUST_DOMAIN_NOT_CONSTRAINABLE' }));
    expect(await readdir(folder)).toEqual([]);
  });

  it('makes a P-256 key for the log where that is asked for', async () => {
    expect((await open({ logAlgorithm: 'ecdsa-p256-sha256' })).log.algorithm).toBe('ecdsa-p256-sha256');
    await expect(later()).rejects.toThrow(refused('KEY_INVALID', 'log.key'));
  });
});

describe('every later start', () => {
  it('finds exactly what the first one made, and changes no file', async () => {
    const first = await open();
    const before = await contents();
    const second = await later();
    expect(second.created).toBe(false);
    expect(identities(second)).toEqual(identities(first));
    expect(await contents()).toEqual(before);
  });

  it('has a new SVID CA below the same identity root', async () => {
    const first = await open();
    const second = await later();
    expect(second.svidCa().certificate.spki).not.toEqual(first.svidCa().certificate.spki);
    expect(second.svidCa().certificate.issuer).toEqual(first.identityRoot.certificate.subject);
  });

  it.each(FILES)('with %s gone is refused by name, and makes nothing in its place', async (name) => {
    await open();
    await rm(file(name));
    const before = await contents();
    await expect(later()).rejects.toThrow(refused('KEY_MISSING', name));
    expect(await contents()).toEqual(before);
    // the record is made last, so without it the folder is half made as far as the folder itself can tell
    if (name !== 'authorities.json') await expect(open()).rejects.toThrow(refused('KEY_MISSING', name));
  });

  it('with everything gone is refused where the installation has been used', async () => {
    await expect(later()).rejects.toThrow(refused('KEY_MISSING', 'authorities.json'));
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(FILES.filter((name) => name.endsWith('.key')))('with a foreign %s is refused by name', async (name) => {
    await open();
    await elsewhere((other) => rename(join(other, name), file(name)));
    await expect(later()).rejects.toThrow(refused('KEY_FOREIGN', name));
  });

  it.each(FILES.filter((name) => name.endsWith('.crt')))('with a foreign %s is refused by name', async (name) => {
    await open();
    await elsewhere((other) => rename(join(other, name), file(name)));
    await expect(later()).rejects.toThrow(refused('KEY_FOREIGN', name));
  });

  it('with a whole foreign pair below another root is refused', async () => {
    await open();
    await elsewhere(async (other) => {
      for (const name of ['tsa.key', 'tsa.crt', 'authorities.json']) await rename(join(other, name), file(name));
    });
    await expect(later()).rejects.toThrow(expect.objectContaining({ code: 'KEY_FOREIGN' }));
  });

  it('with the record of another trust domain, or under another one, is refused', async () => {
    await open();
    await expect(later({ trustDomain: 'example.com' })).rejects.toThrow(refused('KEY_FOREIGN', 'authorities.json'));
    await rm(file('authorities.json'));
    await expect(open({ trustDomain: 'example.com' })).rejects.toThrow(refused('KEY_FOREIGN', 'identity-root.crt'));
  });

  it.each([
    ['authorities.json', '{}'],
    ['authorities.json', '{"version":2,"trustDomain":"example.org","keys":{}}'],
    ['authorities.json', '{"version":1,"trustDomain":"example.org","keys":{},"x":1}'],
    ['tsa.crt', ''],
    ['tsa.crt', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['signing-root.key', 'x'],
  ])('with other content in %s (%j) is refused by name', async (name, content) => {
    await open();
    await writeFile(file(name), content);
    await expect(later()).rejects.toThrow(refused('KEY_INVALID', name));
  });

  it('with keys that others can read is refused by name', async () => {
    await open();
    await rm(file('jwt.key'));
    await writeFile(file('jwt.key'), 'x', { mode: 0o644 });
    await expect(later()).rejects.toThrow(refused('KEY_PERMISSIONS', 'jwt.key'));
  });
});

describe('a first start that was cut off', () => {
  it('is completed from every file at which it can have stopped, keeping what was there', async () => {
    for (let length = 0; length < FILES.length; length++) {
      const part = join(folder, String(length));
      await elsewhere(async (other) => {
        for (const name of FILES.slice(length)) await rm(join(other, name));
        await rename(other, part);
        await open({ folder: other });
      });
      const before = length === 0 ? undefined : await readFile(join(part, FILES[0]!), 'utf8');
      const completed = await open({ folder: part });
      expect(completed.created).toBe(true);
      if (before !== undefined) expect(await readFile(join(part, FILES[0]!), 'utf8')).toBe(before);
      expect(identities(await later({ folder: part }))).toEqual(identities(completed));
    }
  });

  it('is refused where the rest of the installation exists already', async () => {
    await open();
    await rm(file('authorities.json'));
    await rm(file('log.key'));
    await expect(later()).rejects.toThrow(refused('KEY_MISSING', 'authorities.json'));
  });
});

describe('renewal', () => {
  it('does nothing before half life', async () => {
    const all = await open();
    now += 11 * HOUR;
    expect(await all.renew()).toEqual([]);
    expect(all.signingIntermediate()).toBe(all.signingIntermediate());
  });

  it('makes a new SVID CA after half a day, below the same root', async () => {
    const all = await open();
    const before = all.svidCa().certificate;
    now += 12 * HOUR;
    expect(await all.renew()).toEqual(['svid-ca']);
    expect(all.svidCa().certificate.notAfter).toBe(now + DAY);
    expect(all.svidCa().certificate.spki).not.toEqual(before.spki);
    expect(await all.renew()).toEqual([]);
  });

  it('makes a new SVID CA when the clock jumps back before it', async () => {
    const all = await open();
    now += 2 * DAY;
    await all.renew();
    now -= DAY;
    expect(await all.renew()).toEqual(['svid-ca']);
    expect(all.svidCa().certificate.notBefore).toBeLessThanOrEqual(now);
  });

  it('certifies intermediate and timestamp authority again after half a year, with the same keys, and keeps the old certificates', async () => {
    const all = await open();
    const [intermediate, tsa] = [all.signingIntermediate(), all.tsa()];
    now += 183 * DAY;
    expect(await all.renew()).toEqual(['svid-ca', 'signing-intermediate', 'tsa']);
    expect(all.signingIntermediate().certificate.spki).toEqual(intermediate.certificate.spki);
    expect(all.signingIntermediate().certificate.notAfter).toBe(now + 365 * DAY);
    expect(all.history('signing-intermediate').map((one) => one.der)).toEqual([intermediate.certificate.der, all.signingIntermediate().certificate.der]);
    expect(all.history('tsa').map((one) => one.der)).toEqual([tsa.certificate.der, all.tsa().certificate.der]);
    const again = await later();
    expect(identities(again)).toEqual(identities(all));
    expect(again.history('tsa')).toHaveLength(2);
  });

  it('happens at a start that comes late', async () => {
    await open();
    now += 500 * DAY;
    const all = await later();
    expect(all.history('signing-intermediate')).toHaveLength(2);
    expect(all.signingIntermediate().certificate.notBefore).toBe(now - 10_000);
  });

  it('cannot help when the root has expired or the clock stands before it', async () => {
    await open();
    now = NOW - DAY;
    await expect(later()).rejects.toThrow(expect.objectContaining({ code: 'CA_EXPIRED' }));
    now = NOW + 3651 * DAY;
    await expect(later()).rejects.toThrow(expect.objectContaining({ code: 'CA_EXPIRED' }));
  });
});
