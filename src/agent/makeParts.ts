import { createAttempts } from './attempts.ts';
import type { MakeParts } from './parts.ts';
import { serveRunner } from './runner.ts';
import { sealApp } from './sealApp.ts';
import { createSealer } from './sealer.ts';
import { sealService } from './sealService.ts';

/** Runner and Seal of an agent. */
export const makeParts: MakeParts = (core, { runnerFd }) => {
  const attempts = createAttempts();
  const sealer = createSealer(core, attempts);
  const runner = runnerFd === undefined ? undefined : serveRunner(core, attempts, runnerFd);
  return Promise.resolve({ services: [sealService(sealer)], sealApp: sealApp(core, sealer), stop: async () => runner?.stop() });
};
