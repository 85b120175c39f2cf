import { isStepsealError, type Code } from '../../../src/base/errors.ts';

/** The code that a call is refused with; undefined when it is not refused. */
export function codeOf(call: () => unknown): Code | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return error.code;
  }
}
