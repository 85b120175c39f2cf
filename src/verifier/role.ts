import { StepsealError } from '../base/errors.ts';
import type { OpenedBundle } from './opened.ts';
import { check, type Verdict } from './verdict.ts';

/** Who may sign what (DESIGN section 2): this bundle only by exactly this identity. SIGNER_ROLE_MISMATCH. */
export function checkRole({ uri }: OpenedBundle, expected: string, what: string): Verdict {
  return check('identity', () => {
    if (uri === expected) return `${what} is signed by ${expected}`;
    throw new StepsealError('SIGNER_ROLE_MISMATCH', `${what} is not signed by the one identity that may`, { expected, found: uri });
  });
}
