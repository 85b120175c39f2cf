/** One measured line, beside the floor that it must be compared with. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly value: number;
  /** what `floorValue` is of: a peer, or a bare primitive on this machine */
  readonly floor?: string;
  readonly floorValue?: number;
  readonly target?: string;
  /** whether the target is met */
  readonly ok?: boolean;
}

/** The value that this part of all is at or below; `at` 0.5 is the median. */
export function percentile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * at) - 1)]!;
}
