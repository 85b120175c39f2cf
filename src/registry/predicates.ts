import { StepsealError } from '../base/errors.ts';

/**
 * On whose behalf a statement is made: `caller` is a workload that asked for it, `step-end` the agent closing an
 * attempt with what it observed.
 */
export type StatementRole = 'caller' | 'step-end' | 'agent' | 'provenance' | 'verifier';

interface ReservedPredicate {
  readonly role: StatementRole;
  /** whole families, in any spelling that a lenient reader could take for ours: version, letter case, http, a trailing slash */
  readonly types: RegExp;
}

const RESERVED: readonly ReservedPredicate[] = [
  // SLSA provenance v0.1, v0.2, v1: https://slsa.dev/spec/v1.2/build-provenance
  { role: 'provenance', types: /^https?:\/\/slsa\.dev\/provenance(?:[/?#].*)?$/is },
  // https://slsa.dev/spec/v1.2/verification_summary
  { role: 'verifier', types: /^https?:\/\/slsa\.dev\/verification_summary(?:[/?#].*)?$/is },
  { role: 'step-end', types: /^https:\/\/stepseal\.dev\/step\/v1$/s },
  { role: 'agent', types: /^https:\/\/stepseal\.dev\/node-evidence\/v1$/s },
];

/** Every other name below stepseal.dev is nobody's yet. */
const OURS = /^https?:\/\/stepseal\.dev(?:[:/?#].*)?$/is;

/** Whether `role` may make statements of this type. Throws PREDICATE_RESERVED. */
export function assertPredicateAllowed(predicateType: string, role: StatementRole): void {
  const reserved = RESERVED.find((entry) => entry.types.test(predicateType.trim()));
  const allowed = reserved === undefined ? !OURS.test(predicateType.trim()) : reserved.role === role;
  if (!allowed) {
    throw new StepsealError('PREDICATE_RESERVED', `a ${role} makes no statements of this predicate type`, {
      expected: reserved === undefined ? 'a type outside https://stepseal.dev' : `the role ${reserved.role}`,
      found: predicateType,
    });
  }
}
