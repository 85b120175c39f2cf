import { formatTime } from '../base/time.ts';
import { ADMIN_SOCKET_OPTION, withAdmin } from './adminSocket.ts';
import { defineCommand } from './command.ts';

export const command = defineCommand({
  name: 'join-token',
  summary: 'make a one-time token for a new agent',
  usage: '',
  positionals: { min: 0, max: 0 },
  description: 'The token lets one agent join, once, before it expires.\nIt is a secret until then; give it to the agent in a file or an environment variable.',
  options: {
    ttl: { type: 'integer', min: 1, max: 86_400, value: 'SECONDS', default: 600, text: 'how long the token can be used' },
    socket: ADMIN_SOCKET_OPTION,
  },
  examples: [{ line: '(umask 077; stepseal join-token --ttl 60 > token)', text: 'for an agent that starts now' }],
  run: async ({ values, json, io }) => {
    const { token, expiresMs } = await withAdmin(values.socket, io, (admin) => admin.createJoinToken({ ttlSeconds: values.ttl }));
    const expires = formatTime(Number(expiresMs));
    if (json) io.out(`${JSON.stringify({ token, expires })}\n`);
    else {
      io.out(`${token}\n`);
      if (io.terminal) io.err(`usable once, until ${expires}\n`);
    }
    return 0;
  },
});
