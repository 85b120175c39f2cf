import type { Command } from './command.ts';

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** In the order of the help. A file is loaded only when its command is called: start-up time is a promise (≤ 150 ms for seal). */
export const TABLE: readonly Entry[] = [
  { name: 'start', summary: 'run a Tekton Task with everything it needs on this machine', load: () => import('./start.ts') },
  { name: 'seal', summary: 'seal files or digests as the calling step', load: () => import('./seal.ts') },
  { name: 'token', summary: 'print a JWT-SVID of the caller', load: () => import('./token.ts') },
  { name: 'verify', summary: 'check an artifact and how it came to be, offline', load: () => import('./verify.ts') },
  { name: 'inspect', summary: 'say in words what a bundle, certificate, token or trust file is', load: () => import('./inspect.ts') },
  { name: 'server', summary: 'run the control plane: identity, CA, log, timestamps, provenance', load: () => import('./server.ts') },
  { name: 'agent', summary: 'give the programs of this machine their identities', load: () => import('./agent.ts') },
  { name: 'join-token', summary: 'make a one-time token for a new agent', load: () => import('./join-token.ts') },
  { name: 'status', summary: 'what a running server says about itself', load: () => import('./status.ts') },
  { name: 'check-log', summary: 'read every byte of the logs of a stopped server and check it', load: () => import('./check-log.ts') },
  { name: 'completion', summary: 'print the completion script of a shell', load: () => import('./completion.ts') },
];
