import type { StepClaim } from './claim.ts';
import type { Dependency } from './facts.ts';

/**
 * Inputs that no earlier claim of the run made, neither as artifact nor as result: they came from outside, on the step's
 * word. `claims` in the order in which the steps ran.
 */
export function outsideInputs(claims: readonly StepClaim[]): Dependency[] {
  const made = new Set<string>();
  const outside = new Map<string, Dependency>();
  for (const claim of claims) {
    for (const { name, uri, sha256 } of claim.inputs) {
      if (!made.has(sha256)) outside.set(`${name} ${uri} ${sha256}`, { name, uri, digest: { sha256 }, source: 'tenant' });
    }
    for (const { sha256 } of [...claim.artifacts, ...claim.results]) made.add(sha256);
  }
  return [...outside.values()];
}
