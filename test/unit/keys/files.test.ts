import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeFolder } from '../../../src/keys/files.ts';

const folder = mkdtempSync(join(tmpdir(), 'stepseal-folders-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a folder that is made', () => {
  it('comes with what is missing above it, for its owner alone', () => {
    makeFolder(join(folder, 'a/b/c'));
    for (const path of ['a', 'a/b', 'a/b/c']) expect(statSync(join(folder, path)).mode & 0o777).toBe(0o700);
  });

  it('is left as it is where it is there', () => {
    mkdirSync(join(folder, 'there'), 0o755);
    makeFolder(join(folder, 'there'));
    expect(statSync(join(folder, 'there')).mode & 0o777).toBe(0o755);
  });

  it('is refused where a file is in the way, and ends where the file system takes no new names', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => makeFolder(join(folder, 'file'))).toThrow('EEXIST');
    expect(() => makeFolder(join(folder, 'file/below'))).toThrow('ENOTDIR');
    expect(() => makeFolder('/proc/none/below')).toThrow('ENOENT');
  });
});
