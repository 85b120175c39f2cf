/** What something is, in words: for people, and as it is in `--json`. */
export interface Explanation {
  readonly title: string;
  /** label and text */
  readonly facts: readonly (readonly [string, string])[];
  readonly parts: readonly Explanation[];
}

/** Facts whose text is undefined are left out. */
export function explain(title: string, facts: readonly (readonly [string, string | undefined])[], parts: readonly Explanation[] = []): Explanation {
  return { title, facts: facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined), parts };
}
