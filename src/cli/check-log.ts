import { resolve } from 'node:path';
import { describeError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { checkLogs } from '../server/checkLogs.ts';
import { defineCommand } from './command.ts';
import { styles } from './style.ts';

export const command = defineCommand({
  name: 'check-log',
  summary: 'read every byte of the logs of a stopped server and check it',
  usage: '',
  positionals: { min: 0, max: 0 },
  description: 'Re-derives both logs from their files: entries, tiles, roots, key index, signed checkpoints. Exit code 0: whole, 1: not.',
  options: { data: { value: 'DIR', default: '.stepseal/server', text: "the server's data folder; the server must not run" } },
  examples: [{ line: 'stepseal check-log --data /var/lib/stepseal', text: 'after a crash, or before a backup is trusted' }],
  run: async ({ values, json, io }) => {
    const { green, red, dim } = styles(io.colour);
    const logs = await checkLogs(resolve(io.cwd, values.data));
    if (json) {
      io.out(`${JSON.stringify(logs.map(({ name, origin, size, root, problems }) => ({ name, origin, size, root: toHex(root), problems: problems.map(describeError) })))}\n`);
    } else {
      for (const { origin, size, root, problems } of logs) {
        io.out(`${problems.length === 0 ? green('✓') : red('✗')} ${origin}: ${size} entries ${dim(`root ${toHex(root)}`)}\n`);
        for (const problem of problems) io.out(`    ${describeError(problem)}\n`);
      }
    }
    return logs.every(({ problems }) => problems.length === 0) ? 0 : 1;
  },
});
