/** Wakes whoever waits for a change, or for a moment of the wall clock; one timer for all of them. */
export interface Bell {
  /** how often it has rung: read before the state that may change, handed to `next` */
  readonly rung: number;
  readonly stopped: boolean;
  ring(): void;
  /** Resolves once it has rung after `seen`, `due` holds (looked at each tick), the signal is aborted, or the bell is stopped. */
  next(seen: number, due: () => boolean, signal: AbortSignal): Promise<void>;
  /** Wakes everybody for good. */
  stop(): void;
}

/** Ticks instead of a timer for each moment: the clock may jump, a timer would not notice. */
export function createBell(tickMs: number): Bell {
  const waiting = new Map<() => void, () => boolean>();
  let rung = 0;
  let stopped = false;
  const wakeAll = (): void => {
    rung++;
    for (const wake of waiting.keys()) wake();
  };
  const timer = setInterval(() => {
    for (const [wake, due] of waiting) if (due()) wake();
  }, tickMs);
  timer.unref();
  return {
    get rung() {
      return rung;
    },
    get stopped() {
      return stopped;
    },
    ring: wakeAll,
    next(seen, due, signal) {
      if (stopped || seen !== rung || signal.aborted || due()) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = (): void => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting.set(wake, due);
        signal.addEventListener('abort', wake);
      });
    },
    stop() {
      clearInterval(timer);
      stopped = true;
      wakeAll();
    },
  };
}
