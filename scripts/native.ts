// Builds the addon's two binaries with gcc and writes native/digests.json. Debian: apt-get install gcc gcc-aarch64-linux-gnu
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const SOURCES = ['addon.h', 'addon.c', 'peer.c', 'file.c', 'prehash.c'];
export const TARGETS = { x64: ['gcc', 'strip'], arm64: ['aarch64-linux-gnu-gcc', 'aarch64-linux-gnu-strip'] } as const;

export type Arch = keyof typeof TARGETS;

export interface Digests {
  /** SHA-256 of the sources, in their order */
  readonly sources: string;
  /** first line of `gcc --version`, by target */
  readonly compilers: Record<Arch, string>;
  readonly binaries: Record<string, string>;
}

const sha256 = (...parts: Uint8Array[]): string => parts.reduce((state, part) => state.update(part), createHash('sha256')).digest('hex');

export const sourcesDigest = (): string => sha256(...SOURCES.map((name) => readFileSync(join(root, 'native', name))));

/** First line of `gcc --version`, or undefined where there is no such compiler. */
export function compilerOf(arch: Arch): string | undefined {
  try {
    return execFileSync(TARGETS[arch][0], ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Compiles for one target; the same sources and compiler give the same bytes. */
export function build(arch: Arch, output: string): void {
  const [gcc, strip] = TARGETS[arch];
  const headers = join(root, 'node_modules', `node-linux-${process.arch}`, 'include', 'node');
  execFileSync(gcc, [
    '-std=c11', '-D_GNU_SOURCE', '-O2', '-fPIC', '-shared', '-fvisibility=hidden', '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2',
    '-Wall', '-Wextra', '-Werror', '-isystem', headers, '-Wl,--build-id=none,-z,relro,-z,lazy,-z,noexecstack,--hash-style=gnu',
    '-o', output, ...SOURCES.filter((name) => name.endsWith('.c')),
  ], { cwd: join(root, 'native'), stdio: 'inherit' });
  execFileSync(strip, ['--strip-all', '--remove-section=.comment', '--remove-section=.note.gnu.property', output], { stdio: 'inherit' });
}

if (import.meta.main) {
  const binaries: Record<string, string> = {};
  const compilers = {} as Record<Arch, string>;
  for (const arch of Object.keys(TARGETS) as Arch[]) {
    const name = `stepseal-linux-${arch}.node`;
    build(arch, join(root, 'native', name));
    binaries[name] = sha256(readFileSync(join(root, 'native', name)));
    compilers[arch] = compilerOf(arch)!;
  }
  writeFileSync(join(root, 'native', 'digests.json'), `${JSON.stringify({ sources: sourcesDigest(), compilers, binaries } satisfies Digests, null, 2)}\n`);
}
