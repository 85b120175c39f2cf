import { readdirSync, readFileSync } from 'node:fs';

/**
 * For spawn's stdio from `first` on: /dev/null in the place of each descriptor that whoever started this program left
 * open. exec(2) would hand them on, and a folder among them leads out of the step's root.
 */
export function covered(first: number, nothing: number): (number | 'ignore')[] {
  const kept = readdirSync('/proc/self/fd').map(Number).filter((fd) => fd >= first && survivesExec(fd));
  return Array.from({ length: Math.max(first - 1, ...kept) - first + 1 }, (_, index) => (kept.includes(first + index) ? nothing : 'ignore'));
}

const O_CLOEXEC = 0o2000000;

function survivesExec(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return (Number.parseInt(flags ?? '0', 8) & O_CLOEXEC) === 0;
  } catch (error) {
    // closed since it was listed
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
