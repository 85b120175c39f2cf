import { Health, HealthCheckResponse_ServingStatus as Status } from './gen/grpc/health/v1/health_pb.js';
import { StepsealError } from '../base/errors.ts';
import { implement, type Implementation } from './handlers.ts';

export interface HealthState {
  /** `name` "" is the whole process: https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
  set(name: string, serving: boolean): void;
  readonly implementation: Implementation<unknown>;
}

/** grpc.health.v1, with Watch. */
export function createHealth(): HealthState {
  const states = new Map<string, boolean>([['', true]]);
  const watchers = new Set<() => void>();
  const statusOf = (name: string): Status => {
    const serving = states.get(name);
    return serving === undefined ? Status.SERVICE_UNKNOWN : serving ? Status.SERVING : Status.NOT_SERVING;
  };
  const implementation = implement<unknown, typeof Health>(Health, {
    check({ service }) {
      if (!states.has(service)) throw new StepsealError('HEALTH_UNKNOWN', `no service ${service} here`);
      return { status: statusOf(service) };
    },
    async watch({ service }, { signal }, send) {
      let sent: Status | undefined;
      await new Promise<void>((resolve) => {
        const tell = (): void => {
          const now = statusOf(service);
          if (now !== sent) void send({ status: now });
          sent = now;
        };
        watchers.add(tell);
        signal.addEventListener('abort', () => {
          watchers.delete(tell);
          resolve();
        });
        tell();
      });
    },
  });
  return {
    implementation,
    set(name, serving) {
      states.set(name, serving);
      for (const tell of watchers) tell();
    },
  };
}
