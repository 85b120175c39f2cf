import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { StepsealError } from '../base/errors.ts';
import { DEFAULT_GRPC_PORT, DEFAULT_HOST } from '../server/options.ts';
import { defineCommand } from './command.ts';
import { unreadable } from './fileErrors.ts';
import { stopped } from './stopped.ts';

export const command = defineCommand({
  name: 'agent',
  summary: 'give the programs of this machine their identities',
  usage: '',
  positionals: { min: 0, max: 0 },
  description: [
    'Serves the SPIFFE Workload API, and Seal, on sockets of this machine. The first start joins the server with a one-time',
    'token (--join-token-file, or STEPSEAL_JOIN_TOKEN) and needs the server\'s bundle; later starts use what the folder has.',
    'Issued identities are served until they expire while the server is away. SIGTERM and SIGINT stop it.',
  ].join('\n'),
  options: {
    data: { value: 'DIR', default: '.stepseal/agent', text: 'key, SVID and bundle; one agent at a time' },
    server: { value: 'HOST:PORT', default: `${DEFAULT_HOST}:${DEFAULT_GRPC_PORT}`, text: "the server's gRPC address" },
    'trust-domain': { value: 'NAME', text: 'what the trust domain must be' },
    'trust-bundle': { value: 'FILE', text: 'SPIFFE bundle that the server is known by at first contact' },
    'join-token-file': { value: 'FILE', text: 'one-time token (default $STEPSEAL_JOIN_TOKEN)' },
    'socket-dir': { value: 'DIR', text: 'folder of the sockets (default the data folder)' },
    'peer-mode': { default: 'auto', choices: ['auto', 'pidfd', 'procfd'], text: 'how callers are held' },
    'runner-fd': { type: 'integer', value: 'N', text: 'inherited connection of the process that may register steps' },
    'until-stdin-ends': { type: 'boolean', text: 'stop too when standard input ends, so that it does not outlive who started it' },
    'log-level': { default: 'info', choices: ['debug', 'info', 'warn', 'error', 'silent'], text: 'structured logs go to stderr' },
  },
  examples: [
    { line: 'stepseal agent --trust-bundle bundle.json --join-token-file token', text: 'the first start' },
    { line: 'stepseal agent --server build.example.com:7981', text: 'every later one' },
  ],
  run: async ({ values, json, io }) => {
    const stopSignal = io.stopSignal();
    // an agent lives long beside what it serves: 8 MiB less, measured; it has to come before anything is loaded
    setFlagsFromString('--optimize-for-size');
    const [{ startAgent }, { makeParts }, { createPrehash, requireNative }, { systemClock, systemRng }, { stderrLogger }] = await Promise.all([
      import('../agent/serve.ts'), import('../agent/makeParts.ts'), import('../keys/native.ts'), import('../keys/system.ts'), import('./logger.ts'),
    ]);
    const file = (path: string): Uint8Array => readFile(resolve(io.cwd, path));
    const data = resolve(io.cwd, values.data);
    // keys of callers are in this memory: no other process of this user may read it
    requireNative().setDumpable(false);
    const agent = await startAgent(
      {
        data,
        server: addressOf(values.server),
        trustDomain: values['trust-domain'],
        trustBundle: values['trust-bundle'] === undefined ? undefined : file(values['trust-bundle']),
        joinToken: values['join-token-file'] === undefined ? io.env['STEPSEAL_JOIN_TOKEN'] || undefined : Buffer.from(file(values['join-token-file'])).toString('utf8').trim(),
        socketDir: values['socket-dir'] === undefined ? data : resolve(io.cwd, values['socket-dir']),
        peerMode: values['peer-mode'] as 'auto' | 'pidfd' | 'procfd',
        runnerFd: values['runner-fd'],
      },
      { clock: systemClock, rng: systemRng, prehash: createPrehash(), log: stderrLogger(values['log-level'], 'agent') },
      makeParts,
    );
    const { stop, ...ready } = agent;
    if (json) io.out(`${JSON.stringify({ ready })}\n`);
    else io.out(`serving ${ready.id}: SPIFFE_ENDPOINT_SOCKET=unix://${ready.workloadSocket}${ready.sealSocket === undefined ? '' : `, seal socket ${ready.sealSocket}`}\n`);
    await stopped(stopSignal, values['until-stdin-ends'] ? io.inputEnd() : undefined);
    await stop();
    return 0;
  },
});

function addressOf(text: string): { host: string; port: number } {
  const [, host, port] = /^(?:\[([0-9a-f:]+)\]|([^:[\]]+)):([0-9]{1,5})$/i.exec(text)?.filter((part) => part !== undefined) ?? [];
  if (host === undefined || !(Number(port) >= 1 && Number(port) <= 65_535)) throw new StepsealError('USAGE', '--server is not an address', { expected: 'HOST:PORT, such as 127.0.0.1:7981 or [::1]:7981', found: text });
  return { host, port: Number(port) };
}

function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}
