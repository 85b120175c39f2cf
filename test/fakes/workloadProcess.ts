// A workload: opens FetchX509SVID and prints one JSON line for each message and for the end, again after each line on
// its standard input. Run by tests: node workloadProcess.ts SOCKET
import { createInterface } from 'node:readline';
import { workloadClient } from './testAgent.ts';

const client = workloadClient(process.argv[2]!);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function watch(): Promise<void> {
  const stream = client.stream('fetchX509SVID');
  try {
    for (;;) say({ svids: (await stream.next()).svids.map(({ spiffeId }) => spiffeId) });
  } catch {
    say({ ended: (await stream.ended).code });
  }
}

createInterface({ input: process.stdin }).on('line', () => void watch());
void watch();
