import { procFolder, procList, procStat } from './procfs.ts';

/** One process until the next boot: a number alone is used again. */
export interface ProcessName {
  readonly pid: number;
  readonly startTime: string;
}

const DEPTH = 1000;

export function processName(pid: number): ProcessName | undefined {
  const stat = procStat(procFolder(pid));
  return stat === undefined ? undefined : { pid, startTime: stat.startTime };
}

export function sameProcess(a: ProcessName, b: ProcessName): boolean {
  return a.pid === b.pid && a.startTime === b.startTime;
}

/**
 * The process and all its ancestors that this pid namespace shows, itself first; undefined where that cannot be said
 * for certain. The chain is read twice: a parent that ends in between would otherwise leave a stranger with its number.
 */
export function lineage(pid: number): ProcessName[] | undefined {
  const first = readLineage(pid);
  const second = readLineage(pid);
  const same = first !== undefined && second !== undefined && first.length === second.length && first.every((name, i) => sameProcess(name, second[i]!));
  return same ? first : undefined;
}

function readLineage(pid: number): ProcessName[] | undefined {
  const chain: ProcessName[] = [];
  for (let at = pid; at !== 0; ) {
    const stat = procStat(procFolder(at));
    const child = chain.at(-1);
    // a parent is never younger than its child, unless its number was used again
    if (stat === undefined || chain.length === DEPTH || (child !== undefined && BigInt(stat.startTime) > BigInt(child.startTime) && at !== 1)) return undefined;
    chain.push({ pid: at, startTime: stat.startTime });
    at = stat.ppid;
  }
  return chain;
}

/** The living processes below `top` (not itself), without those in or below `except`. */
export function descendants(top: ProcessName, except: readonly ProcessName[]): ProcessName[] {
  const found: ProcessName[] = [];
  for (const pid of procList()) {
    const stat = procStat(procFolder(pid));
    if (stat === undefined || stat.state === 'Z') continue;
    const chain = readLineage(pid) ?? [];
    const [self] = chain;
    const below = chain.slice(1).some((name) => sameProcess(name, top));
    if (self !== undefined && below && !chain.some((name) => except.some((other) => sameProcess(name, other)))) found.push(self);
  }
  return found;
}
