// The real agent as a process of its own, for tests: argv[2] is JSON of the options, descriptor 3 the runner's connection.
import { makeParts } from '../../src/agent/makeParts.ts';
import { startAgent } from '../../src/agent/serve.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { systemClock, systemRng } from '../../src/keys/system.ts';

interface Settings {
  readonly data: string;
  readonly trustDomain: string;
  readonly port: number;
  readonly trustBundle: string;
  readonly joinToken: string;
}

const { data, trustDomain, port, trustBundle, joinToken } = JSON.parse(process.argv[2]!) as Settings;
const log = (fields: object, message: string): void => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const quiet = (): void => undefined;
const agent = await startAgent(
  { data, trustDomain, socketDir: data, server: { host: '127.0.0.1', port }, trustBundle: Buffer.from(trustBundle, 'base64'), joinToken, peerMode: 'auto', runnerFd: 3 },
  { clock: systemClock, rng: systemRng, prehash: createPrehash(), log: { info: quiet, warn: quiet, error: log } },
  makeParts,
);
process.once('SIGTERM', () => void agent.stop().then(() => process.exit(0)));
process.stdout.write(`${JSON.stringify({ id: agent.id })}\n`);
