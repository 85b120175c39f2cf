import { pino } from 'pino';

/** Structured logs on stderr, one JSON object a line; nothing here formats secrets, callers pass none. */
export function stderrLogger(level: string, name: string): pino.Logger {
  return pino({ name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }));
}
