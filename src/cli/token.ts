import { StepsealError } from '../base/errors.ts';
import { defineCommand } from './command.ts';
import { callAgent, sealSocketPath, SOCKET_OPTION } from './sealSocket.ts';

export const command = defineCommand({
  name: 'token',
  summary: 'print a JWT-SVID of the caller',
  usage: '',
  positionals: { min: 0, max: 0 },
  description: 'The agent attests the calling process and answers with a short-lived token for the audience.\nWhoever holds it acts as you: do not log it.',
  options: {
    audience: { value: 'NAME', multiple: true, text: 'who the token is for; for cosign: sigstore' },
    'spiffe-id': { value: 'ID', text: 'which identity, where the caller has several' },
    socket: SOCKET_OPTION,
  },
  examples: [
    { line: 'stepseal token --audience sigstore', text: 'a token for the Fulcio endpoint' },
    { line: 'SIGSTORE_ID_TOKEN=$(stepseal token --audience sigstore) cosign sign-blob app.tgz …', text: 'an unmodified cosign signs as you' },
  ],
  run: async ({ values, json, io }) => {
    if (values.audience.length === 0) throw new StepsealError('USAGE', '--audience must be given', { expected: '--audience NAME, such as sigstore' });
    const spiffeId = values['spiffe-id'];
    const answer = await callAgent(sealSocketPath(values.socket, io), '/v1/token', {
      audience: [...values.audience],
      ...(spiffeId === undefined ? {} : { spiffeId }),
    });
    const [first, ...others] = answer.at('svids').array();
    if (first === undefined) answer.at('svids').fail('one token at least');
    const token = first!.at('token').string();
    if (json) io.out(`${JSON.stringify({ spiffeId: first!.at('spiffeId').string(), token })}\n`);
    else io.out(`${token}\n`);
    if (others.length > 0) io.err(`stepseal: the caller has ${others.length} more identities; --spiffe-id chooses\n`);
    return 0;
  },
});
