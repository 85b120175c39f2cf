import type { Clock } from './ports.ts';

const INTERVAL_MS = 1000;
const BURST = 20;

/** Hands on at most 20 calls a second, for log lines that anybody can cause: what was left out is told by its number, `leftOut`. */
export function seldom(clock: Clock, log: (fields: object, message: string) => void): (fields: object, message: string) => void {
  let begun = -Infinity;
  let inInterval = 0;
  let leftOut = 0;
  return (fields, message) => {
    const now = clock.now();
    // a clock that was set back must not silence it
    if (now < begun || now - begun >= INTERVAL_MS) [begun, inInterval] = [now, 0];
    if (inInterval === BURST) {
      leftOut++;
      return;
    }
    inInterval++;
    log(leftOut === 0 ? fields : { ...fields, leftOut }, message);
    leftOut = 0;
  };
}
