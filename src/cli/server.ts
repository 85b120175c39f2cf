import { resolve } from 'node:path';
import { systemClock, systemRng } from '../keys/system.ts';
import { DEFAULT_GRPC_PORT, DEFAULT_HOST, DEFAULT_HTTP_PORT, DEFAULT_TRUST_DOMAIN } from '../server/options.ts';
import { startServer } from '../server/serve.ts';
import { defineCommand } from './command.ts';
import { stopped } from './stopped.ts';
import { stderrLogger } from './logger.ts';
import { version } from './version.ts';

export const command = defineCommand({
  name: 'server',
  summary: 'run the control plane: identity, CA, log, timestamps, provenance',
  usage: '',
  positionals: { min: 0, max: 0 },
  description: [
    'Serves gRPC with mTLS for agents, HTTP for everybody, and an admin socket for its owner, from one data folder.',
    'The first start creates the trust domain: keys as plain PKCS#8 files with mode 0600. Later starts find them;',
    'a missing or foreign key is an error, never a new authority. SIGTERM and SIGINT stop it.',
  ].join('\n'),
  options: {
    data: { value: 'DIR', default: '.stepseal/server', text: 'the data folder; one server at a time' },
    'trust-domain': { value: 'NAME', text: `fixed at the first start (default ${DEFAULT_TRUST_DOMAIN})` },
    issuer: { value: 'URL', text: 'OIDC issuer, fixed at the first start (default https://<trust domain>)' },
    'step-bearer': { type: 'boolean', text: 'let steps sign with stock clients too, by their tokens (road bearer)' },
    host: { value: 'ADDRESS', default: DEFAULT_HOST, text: 'address to listen on' },
    'http-port': { type: 'integer', max: 65_535, value: 'PORT', default: DEFAULT_HTTP_PORT, text: 'Fulcio, Rekor, TSA, OIDC, trust files' },
    'grpc-port': { type: 'integer', max: 65_535, value: 'PORT', default: DEFAULT_GRPC_PORT, text: 'agents; 0 for any free one' },
    'admin-socket': { value: 'FILE', text: 'default admin.sock in the data folder' },
    'until-stdin-ends': { type: 'boolean', text: 'stop too when standard input ends, so that it does not outlive who started it' },
    'log-level': { default: 'info', choices: ['debug', 'info', 'warn', 'error', 'silent'], text: 'structured logs go to stderr' },
  },
  examples: [
    { line: 'stepseal server --data /var/lib/stepseal --trust-domain build.example.com', text: 'a trust domain of your own' },
    { line: 'stepseal server --http-port 8080', text: 'when the default port is taken' },
  ],
  run: async ({ values, json, io }) => {
    const stopSignal = io.stopSignal();
    const server = await startServer(
      {
        data: resolve(io.cwd, values.data),
        trustDomain: values['trust-domain'],
        issuer: values.issuer,
        stepBearer: values['step-bearer'],
        host: values.host,
        httpPort: values['http-port'],
        grpcPort: values['grpc-port'],
        adminSocket: values['admin-socket'] && resolve(io.cwd, values['admin-socket']),
      },
      { clock: systemClock, rng: systemRng, log: stderrLogger(values['log-level'], 'server'), version },
    );
    const { stop, ...ready } = server;
    if (json) io.out(`${JSON.stringify({ ready })}\n`);
    else {
      if (ready.created) io.out(`created trust domain ${ready.trustDomain}; its keys are plain PKCS#8 files, mode 0600, in ${ready.keysFolder}\n`);
      io.out(`serving ${ready.trustDomain}: HTTP ${ready.httpUrl}, gRPC ${ready.grpcAddress}, admin socket ${ready.adminSocket}\n`);
    }
    await stopped(stopSignal, values['until-stdin-ends'] ? io.inputEnd() : undefined);
    await stop();
    return 0;
  },
});
