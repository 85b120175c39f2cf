import { readFileSync } from 'node:fs';

/** The value that this part of all is at or below; `at` 0.5 is the median. */
export function percentile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * at) - 1)]!;
}

/** MiB of memory that a process holds, its shared pages counted as its own. */
export function rss(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

/** Milliseconds of CPU that a process has had: ticks of 10 ms, proc_pid_stat(5) fields 14 and 15. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
