import { probeIsolation } from '../../src/runner/isolation.ts';
import { startRunBed } from './runner.ts';

// Runs the Task on standard input in a process of its own, so that a test can do it as another user. Prints JSON.

const chunks: Buffer[] = [];
for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
const isolation = await probeIsolation();
const bed = await startRunBed(isolation);
try {
  const { result, output } = await bed.run({ yaml: Buffer.concat(chunks).toString('utf8') });
  process.stdout.write(JSON.stringify({ isolation, outcome: result.outcome, output }));
} finally {
  await bed.close();
}
