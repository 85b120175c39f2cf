// A step outside every test process: it prints where its descriptors lead, but for the standard ones.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStep } from '../../src/runner/process.ts';

const folder = mkdtempSync(join(tmpdir(), 'stepseal-alone-'));
const list = 'cd /proc/$$/fd; for fd in *; do [ $fd -lt 3 ] || readlink $fd; done';
const step = await startStep({
  argv: ['/bin/sh', '-c', list], env: { PATH: '/usr/bin:/bin' }, workingDir: '/', makeWorkingDir: false, root: undefined, folder,
  onLine: (_, line) => void process.stdout.write(`${line}\n`),
});
await step.run();
await step.close();
rmSync(folder, { recursive: true });
