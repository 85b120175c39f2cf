import type { Reader } from '../base/read.ts';

const UNITS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|s|m|h))+$/;
/** A year: nothing that runs on one machine is meant to take longer. */
const LIMIT_MS = 366 * 24 * 3_600_000;

/** Go's time.ParseDuration without a sign, such as `1h30m`. Returns whole ms, at least 1; 0 for `0` and `0s`, which mean no limit. */
export function readDuration(reader: Reader): number {
  const text = reader.string('a Go duration such as 1h30m, 90s or 500ms');
  if (text === '0') return 0;
  if (!DURATION.test(text)) reader.fail('a Go duration such as 1h30m, 90s or 500ms');
  let ms = 0;
  for (const match of text.matchAll(/(\d+(?:\.\d+)?)([a-zµμ]+)/g)) ms += Number(match[1]) * UNITS[match[2]!]!;
  if (ms > LIMIT_MS) reader.fail('at most 366 days');
  return ms === 0 ? 0 : Math.max(1, Math.round(ms));
}
