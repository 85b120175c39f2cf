/**
 * Child process of the log's fault tests: locks the data folder, appends under load, and says on standard output what
 * was answered, one JSON line each, after the answer. Arguments: folder, seed, number of callers, optional entry size.
 */
import { writeSync } from 'node:fs';
import { isStepsealError } from '../../src/base/errors.ts';
import { openLog } from '../../src/log/log.ts';
import { openDatabase } from '../../src/store/database.ts';
import { lockFolder } from '../../src/store/lock.ts';
import { openLogStorage } from '../../src/store/logStorage.ts';
import { logSigner, ORIGIN } from '../fakes/logs.ts';
import { seededRng } from '../fakes/seeded.ts';

const [folder = '', seed = '1', callers = '8', size = '0'] = process.argv.slice(2);
const rng = seededRng(seed);

lockFolder(folder);
const log = await openLog({
  storage: openLogStorage({ db: openDatabase(folder), folder, log: 'log' }),
  signer: logSigner,
  origin: ORIGIN,
  warn: (error) => say({ warning: String(error) }),
});
say({ ready: log.size() });

let next = 0;
async function call(caller: number): Promise<void> {
  for (;;) {
    const texts = Array.from({ length: 1 + (rng.bytes(1)[0]! % 5) }, () => `seed ${seed} caller ${caller} entry ${next++}`.padEnd(Number(size), '.'));
    try {
      const answers = await log.append(texts.map((text) => Buffer.from(text)));
      for (const [i, { index, treeSize, rootHash }] of answers.entries()) say({ text: texts[i], index, treeSize, root: Buffer.from(rootHash).toString('hex') });
    } catch (error) {
      say({ refused: isStepsealError(error) ? error.code : String(error) });
      return;
    }
  }
}

// synchronous: what was said stays said when the process is killed
function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

await Promise.all(Array.from({ length: Number(callers) }, (_, i) => call(i)));
await log.close();
say({ closed: log.size() });
