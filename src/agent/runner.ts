import { Socket } from 'node:net';
import { runnerName } from '../attestor/callers.ts';
import { peerOf } from '../attestor/peer.ts';
import { isStepsealError } from '../base/errors.ts';
import { Runner } from '../rpc/gen/stepseal/runner_pb.js';
import { implement } from '../rpc/handlers.ts';
import { createRpcServer } from '../rpc/server.ts';
import type { Attempts } from './attempts.ts';
import type { AgentCore } from './core.ts';
import { endStep } from './endStep.ts';
import { type RunnerPeer, startStep } from './startStep.ts';

export interface RunnerConnection {
  stop(): Promise<void>;
}

/**
 * stepseal.runner.v1.Runner on the connection that this process inherited: whoever is on its other end started the agent.
 * Nobody else may register steps. When the runner ends, its open attempts end with it. Throws PEER_UNKNOWN, PEER_GONE.
 */
export function serveRunner(core: AgentCore, attempts: Attempts, fd: number): RunnerConnection {
  const socket = new Socket({ fd, readable: true, writable: true });
  socket.on('error', () => socket.destroy());
  const peer = peerOf(socket);
  const runner: RunnerPeer = { name: runnerName(peer), mode: peer.mode };
  core.callers.setRunner(runner.name);
  const rpc = createRpcServer<RunnerPeer>({
    services: [implement<RunnerPeer, typeof Runner>(Runner, {
      startStep: (request, call) => startStep(core, attempts, call.peer, request),
      endStep: (request) => endStep(core, attempts, request),
    })],
    onFault: (error, method) => core.log.error({ method, error: String(error) }, 'a call of the runner failed'),
  });
  rpc.inject(socket, runner);
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve())).then(() => lose(core, attempts));
  return {
    async stop() {
      await rpc.stop(0);
      await gone;
    },
  };
}

/** The runner is gone: nobody will say how its steps ended. */
async function lose(core: AgentCore, attempts: Attempts): Promise<void> {
  const open = attempts.open();
  core.log.info({ open: open.length }, 'the runner is gone');
  // first: with no runner, nothing says any more what its unisolated steps have left
  core.callers.runnerEnded();
  for (const attempt of open) {
    attempts.take(attempt.id);
    core.callers.endStep(attempt.id);
    core.stepEnded(attempt.id);
  }
  for (const { id } of open) {
    try {
      await core.server.node().closeAttempt({ attemptId: id, reason: 'lost' }, { timeoutMs: 2000 });
    } catch (error) {
      core.log.warn({ attempt: id, error: isStepsealError(error) ? error.code : String(error) }, 'a lost attempt could not be closed at the server');
    }
  }
}
