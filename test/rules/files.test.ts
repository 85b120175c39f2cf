import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { linesMatching, read, ROOT, tracked, typescript } from './sources.ts';

interface Packages {
  readonly packages: Record<string, { readonly resolved?: string; readonly integrity?: string; readonly version?: string }>;
}

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}

const manifest = JSON.parse(read('package.json')) as Manifest;
const wanted = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };

/** Hosts where this machine's package clients look; what they are is nobody's business but the machine's. */
function registryHosts(): string[] {
  const npm = execFileSync('npm', ['config', 'get', 'registry'], { cwd: ROOT, encoding: 'utf8' });
  const addresses = [npm, ...['GOPROXY', 'GONOSUMDB', 'PIP_INDEX_URL'].map((name) => process.env[name] ?? '')].join(' ');
  return [...addresses.matchAll(/https?:\/\/(?:[^@/\s]*@)?([^/\s,|:]+)/g)].map((match) => match[1]!);
}

describe('tracked files', () => {
  test('name no registry host and no path of the machine they were written on', () => {
    const hosts = registryHosts().filter((host) => host !== 'localhost' && host !== '127.0.0.1');
    const machine = /(?<![\w.$})*-])\/(?:work|root)\/(?!\*)/;
    const wrong = tracked().filter((path) => {
      const text = readFileSync(join(ROOT, path), 'latin1');
      return hosts.some((host) => text.includes(host)) || machine.test(text);
    });
    expect(wrong).toEqual([]);
  });

  test('hold no note to do something later', () => {
    const note = new RegExp(`\\b(?:${['TO', 'FIX', 'XX'].map((word, i) => word + ['DO', 'ME', 'X'][i]).join('|')})\\b`);
    expect(tracked().filter((path) => /\.(?:ts|mjs|c|h|go|sh|md|proto)$/.test(path) && note.test(read(path)))).toEqual([]);
  });

  test('leave no test out', () => {
    const left = /\b(?:test|it|describe|suite)(?:\.\w+)*\.(?:only|skip|todo)\b/;
    expect(typescript('test').flatMap((path) => linesMatching(path, left))).toEqual([]);
  });
});

describe('dependencies', () => {
  test('the lock file names no address and a digest for each package', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as Packages;
    const { '': root, ...rest } = packages;
    const { dependencies, optionalDependencies, devDependencies } = manifest;
    expect(root).toMatchObject({ dependencies, optionalDependencies, devDependencies });
    expect(read('package-lock.json')).not.toMatch(/"resolved"/);
    expect(Object.entries(rest).filter(([, item]) => !(item.integrity ?? '').startsWith('sha512-')).map(([path]) => path)).toEqual([]);
  });

  test('both platform packages are in the lock file, since each machine installs its own', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as Packages;
    for (const arch of ['x64', 'arm64']) expect(packages[`node_modules/node-linux-${arch}`]?.version).toBe(manifest.optionalDependencies[`node-linux-${arch}`]);
  });

  test('versions are exact', () => {
    expect(Object.entries(wanted).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test('docs/dependencies.md argues for exactly those of package.json', () => {
    const rows = [...read('docs/dependencies.md').matchAll(/^\| ([@a-z][^ |]*) /gm)].map((match) => match[1]!);
    expect(rows.toSorted()).toEqual(Object.keys(wanted).toSorted());
  });
});
