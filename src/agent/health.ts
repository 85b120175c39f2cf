import { createHealth } from '../rpc/health.ts';
import type { Implementation } from '../rpc/handlers.ts';
import type { Bell } from './bell.ts';
import type { Link } from './link.ts';

/** Whether the server answers: its own name in health, so that an agent that serves from what it keeps can be told apart. */
export const SERVER_HEALTH = 'stepseal.server';
const OWN = ['', 'SpiffeWorkloadAPI'];

/** grpc.health.v1 of an agent, kept true until the bell stops. */
export function agentHealth(link: Link, bell: Bell): Implementation<unknown> {
  const health = createHealth();
  const state = (): string => `${link.usable} ${link.up}`;
  const never = new AbortController().signal;
  const keep = async (): Promise<void> => {
    while (!bell.stopped) {
      const seen = bell.rung;
      const told = state();
      for (const name of OWN) health.set(name, link.usable);
      health.set(SERVER_HEALTH, link.up);
      await bell.next(seen, () => state() !== told, never);
    }
    for (const name of [...OWN, SERVER_HEALTH]) health.set(name, false);
  };
  void keep();
  return health.implementation;
}
