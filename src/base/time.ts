import { StepsealError } from './errors.ts';

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?Z$/;

/** RFC 3339 in UTC with `Z`, digits beyond milliseconds cut. Returns ms since the epoch. Throws TIME_INVALID. */
export function parseTime(text: string): number {
  const match = RFC3339.exec(text);
  if (match) {
    const ms = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
    const whole = text.slice(0, 19);
    const time = Date.parse(`${whole}Z`);
    // 2026-02-30 would silently become 2 March
    if (!Number.isNaN(time) && new Date(time).toISOString().startsWith(whole)) return time + ms;
  }
  throw new StepsealError('TIME_INVALID', 'not a time', { expected: 'RFC 3339 in UTC, such as 2026-01-02T03:04:05Z', found: text });
}

/** Whole seconds, `2026-01-02T03:04:05Z`. */
export function formatTime(ms: number): string {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** With milliseconds, `2026-01-02T03:04:05.678Z`. */
export function formatTimeMs(ms: number): string {
  return new Date(ms).toISOString();
}
