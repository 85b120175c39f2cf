import { build, type Metafile, type Plugin } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * npm run build [-- FOLDER]: the released package into dist/ or a new folder; `npm pack ./dist` then makes
 * stepseal-<version>.tgz. Bundled, without dependencies and install scripts, not minified: what is released can be
 * read. Same sources, same bytes.
 */
const root = join(import.meta.dirname, '..');
const [given] = process.argv.slice(2);
const dist = given === undefined ? join(root, 'dist') : resolve(given);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string; version: string; description: string; license: string };
const { name, version, description, license } = manifest;

/** Of our manifest only the version goes into the program. */
const onlyVersion: Plugin = {
  name: 'only-version',
  setup: ({ onLoad }) => {
    onLoad({ filter: /package\.json$/ }, ({ path }) => (path === join(root, 'package.json') ? { contents: JSON.stringify({ version }), loader: 'json' } : undefined));
  },
};

if (given === undefined) rmSync(dist, { recursive: true, force: true });
else if (existsSync(dist)) throw new Error(`${dist} is there already`);
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: { stepseal: 'src/cli/main.ts', index: 'src/index.ts' },
  outdir: join(dist, 'lib'),
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  charset: 'utf8',
  legalComments: 'none',
  metafile: true,
  plugins: [onlyVersion],
  logLevel: 'warning',
  // CommonJS inside (grpc-js) asks for require
  banner: { js: "import { createRequire as stepsealRequire } from 'node:module';\nconst require = stepsealRequire(import.meta.url);" },
});

mkdirSync(join(dist, 'lib/native'));
for (const file of readdirSync(join(root, 'native')).filter((file) => /\.node$|^digests\.json$/.test(file))) {
  cpSync(join(root, 'native', file), join(dist, 'lib/native', file));
}
for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE', 'SECURITY.md']) cpSync(join(root, file), join(dist, file));
cpSync(join(root, 'tekton'), join(dist, 'tekton'), { recursive: true });
writeFileSync(join(dist, 'THIRD_PARTY_LICENSES.txt'), licencesOf(metafile));
declarations();
writeFileSync(
  join(dist, 'package.json'),
  `${JSON.stringify(
    {
      name,
      version,
      description,
      license,
      type: 'module',
      engines: { node: '>=24' },
      os: ['linux'],
      bin: { stepseal: 'lib/stepseal.js' },
      exports: { '.': { types: './types/index.d.ts', default: './lib/index.js' } },
    },
    undefined,
    2,
  )}\n`,
);
console.log(`${name} ${version} in ${dist}; npm pack makes the tarball of it`);

/** The types of the library and of what it mentions. */
function declarations(): void {
  const config = join(dist, 'tsconfig.json');
  const compilerOptions = { declaration: true, emitDeclarationOnly: true, noEmit: false, rootDir: join(root, 'src'), outDir: join(dist, 'types'), typeRoots: [join(root, 'node_modules/@types')] };
  writeFileSync(config, JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: [], files: [join(root, 'src/index.ts')] }));
  const { status, stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', config], { encoding: 'utf8' });
  rmSync(config);
  if (status !== 0) throw new Error(`types of the library:\n${stdout}`);
}

/** The licence texts of every package that went into the bundle. */
function licencesOf({ inputs }: Metafile): string {
  const folders = new Set(Object.keys(inputs).flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
  return [...folders].sort().map((folder) => {
    const { name: packageName, version: packageVersion, license: spdx } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Record<string, string>;
    const file = readdirSync(join(root, folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file === undefined || !existsSync(join(root, folder, file)) ? `${spdx}` : readFileSync(join(root, folder, file), 'utf8').trim();
    return `${packageName} ${packageVersion} (${spdx})\n\n${text}\n`;
  }).join(`\n${'-'.repeat(80)}\n\n`);
}
