import { StepsealError } from '../base/errors.ts';
import type { Source } from './facts.ts';

// DESIGN §3: what stands after /ns/<namespace>/ in a step's name; taskrun is TEP-0089's, accepted on verification only
const STEP_KINDS = ['pipeline', 'pipeline-ref', 'task', 'task-ref', 'inline', 'taskrun'];

/** The one source that may produce a path; undefined where anybody's template may. */
export function ownerOf(segments: readonly string[]): Source | undefined {
  const [first, second, third] = segments;
  if (first === 'stepseal') return 'role';
  if (first === 'spire') return second === 'agent' ? 'agent' : 'role';
  if (first === 'local') return 'person';
  if (first === 'ns' && (STEP_KINDS.includes(third ?? '') || segments.at(-2) === 'step')) return 'step';
  return undefined;
}

/** A source produces inside its own names, and a source without names outside all reserved ones. Throws IDENTITY_RESERVED. */
export function assertMayProduce(source: Source, segments: readonly string[], template: string): void {
  const owner = ownerOf(segments);
  const fits = owner === (source === 'unix' ? undefined : source) && (source !== 'step' || isStepName(segments));
  if (!fits) {
    throw new StepsealError('IDENTITY_RESERVED', `the template ${template} may not produce this name`, {
      expected: source === 'unix' ? 'a path outside the reserved names' : `a name of the source ${source}`,
      found: `/${segments.join('/')}${owner === undefined ? '' : `, a name of the source ${owner}`}`,
    });
  }
}

function isStepName(segments: readonly string[]): boolean {
  return segments.length >= 5 && segments[2] !== 'taskrun' && segments.at(-2) === 'step';
}
