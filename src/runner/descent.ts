import { procFolder, procList, procStat } from '../attestor/procfs.ts';

/**
 * Living processes that a step without namespaces has started: below its supervisor, in its session, or orphans that
 * came to this process (a subreaper) since; all that they started too. `baseline`: orphans and children from before.
 */
export function descendants(supervisor: number, baseline: ReadonlySet<number>): number[] {
  const all = procList().flatMap((pid) => {
    const stat = procStat(procFolder(pid));
    return stat === undefined ? [] : [{ pid, parent: stat.ppid, session: stat.session, zombie: stat.state === 'Z' }];
  });
  const found = new Set([supervisor]);
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent, session } of all) {
      const orphan = supervisor !== process.pid && parent === process.pid && !baseline.has(pid);
      if (found.has(parent) || session === supervisor || orphan) found.add(pid);
    }
  }
  found.delete(supervisor);
  return all.filter(({ pid, zombie }) => found.has(pid) && !zombie).map(({ pid }) => pid);
}

const ROUNDS = 100;

/** SIGKILL to all that `list` gives, again until it gives none. Returns how many there were at first. */
export function killUntilGone(list: () => readonly number[]): number {
  const first = list();
  let rest = first;
  for (let round = 0; round < ROUNDS && rest.length > 0; round++) {
    for (const pid of rest) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        // ESRCH: gone meanwhile. EPERM: another user's (setuid); it cannot be ended from here and is counted
        if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    }
    rest = list();
  }
  return first.length;
}
