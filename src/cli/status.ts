import { formatTime } from '../base/time.ts';
import { ADMIN_SOCKET_OPTION, withAdmin } from './adminSocket.ts';
import { defineCommand } from './command.ts';

export const command = defineCommand({
  name: 'status',
  summary: 'what a running server says about itself',
  usage: '',
  positionals: { min: 0, max: 0 },
  options: { socket: ADMIN_SOCKET_OPTION },
  examples: [
    { line: 'stepseal status', text: 'the server of this folder' },
    { line: 'stepseal status --json | jq .logSize', text: 'one number for a script' },
  ],
  run: async ({ values, json, io }) => {
    const answer = await withAdmin(values.socket, io, (admin) => admin.getStatus({}));
    const status = {
      version: answer.version,
      trustDomain: answer.trustDomain,
      issuer: answer.issuer,
      grpcAddress: answer.grpcAddress,
      httpAddress: answer.httpAddress,
      dataFolder: answer.dataFolder,
      logSize: Number(answer.logSize),
      ctSize: Number(answer.ctSize),
      started: formatTime(Number(answer.startedMs)),
      memoryBytes: Number(answer.memory),
    };
    if (json) io.out(`${JSON.stringify(status)}\n`);
    else {
      const rows = [
        ['version', status.version],
        ['trust domain', status.trustDomain],
        ['issuer', status.issuer],
        ['gRPC', status.grpcAddress],
        ['HTTP', status.httpAddress],
        ['data', status.dataFolder],
        ['log entries', `${status.logSize}`],
        ['certificates logged', `${status.ctSize}`],
        ['started', status.started],
        ['memory', `${(status.memoryBytes / 2 ** 20).toFixed(0)} MiB`],
      ] as const;
      for (const [name, value] of rows) io.out(`${name.padEnd(20)} ${value}\n`);
    }
    return 0;
  },
});
