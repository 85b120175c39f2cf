import { StepsealError } from '../base/errors.ts';
import type { DigestSet } from './digest.ts';
import type { Statement, Subject } from './statement.ts';

/**
 * The subjects that are the artifact: at least one algorithm in common and no common algorithm with another value.
 * `artifact` holds at least one of sha256, sha384, sha512. Names are not compared: they are claims, not evidence.
 * Throws SUBJECT_MISMATCH when there is none, DIGEST_ALG_CONFUSION when a value is there under another algorithm only.
 */
export function matchSubjects(statement: Pick<Statement, 'subject'>, artifact: DigestSet): Subject[] {
  const matching = statement.subject.filter(({ digest }) => {
    const common = Object.keys(artifact).filter((algorithm) => Object.hasOwn(digest, algorithm));
    return common.length > 0 && common.every((algorithm) => digest[algorithm] === artifact[algorithm]);
  });
  if (matching.length > 0) return matching;
  const values = Object.values(artifact);
  for (const { digest } of statement.subject) {
    for (const [algorithm, value] of Object.entries(digest)) {
      if (values.includes(value) && artifact[algorithm] !== value) {
        throw new StepsealError('DIGEST_ALG_CONFUSION', 'the digest stands in the statement under another algorithm', { expected: describe(artifact), found: describe(digest) });
      }
    }
  }
  throw new StepsealError('SUBJECT_MISMATCH', 'the statement is about something else', {
    expected: describe(artifact),
    found: statement.subject.map(({ name, digest }) => `${name === undefined ? '' : `${name} `}${describe(digest)}`).join('; '),
  });
}

function describe(digest: DigestSet): string {
  return Object.entries(digest).map(([algorithm, value]) => `${algorithm}:${value}`).join(' ');
}
