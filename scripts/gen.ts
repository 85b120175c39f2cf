import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** npm run gen: src/rpc/gen from proto/, offline; test/rules/generated.test.ts holds that it is up to date. */
const root = join(import.meta.dirname, '..');
const bin = join(root, 'node_modules/.bin');
const { status } = spawnSync(join(bin, 'buf'), ['generate'], {
  cwd: join(root, 'proto'),
  env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` },
  stdio: 'inherit',
});
process.exit(status ?? 1);
