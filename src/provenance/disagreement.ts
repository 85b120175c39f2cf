import { type Code, StepsealError } from '../base/errors.ts';
import { canonicalJson } from '../base/json.ts';

export type View = 'server' | 'node' | 'runner' | 'claim';

/** One field in two views. `code` where a more telling one than PROVENANCE_DISAGREEMENT exists. */
export interface Comparison {
  /** whose field, such as `step build` */
  readonly of: string;
  readonly field: string;
  readonly left: readonly [View, unknown];
  readonly right: readonly [View, unknown];
  readonly code?: Code;
}

/** Throws, naming the two views and the field, unless both have the same canonical JSON. */
export function agree({ of, field, left, right, code }: Comparison): void {
  const [a, b] = [show(left[1]), show(right[1])];
  if (a === b) return;
  throw new StepsealError(code ?? 'PROVENANCE_DISAGREEMENT', `${left[0]} and ${right[0]} disagree on ${field} of ${of}`, {
    expected: `${left[0]}: ${a}`,
    found: `${right[0]}: ${b}`,
  });
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : canonicalJson(value);
}
