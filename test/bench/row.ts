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
