import { StepsealError } from '../base/errors.ts';
import { segmentFault, type SpiffeId } from './id.ts';
import { trustDomainFault } from './trustDomain.ts';

type PatternSegment =
  | { readonly kind: 'literal'; readonly text: string }
  /** `*`: any one segment */
  | { readonly kind: 'any' }
  /** `{name}`: any one segment, kept; the same name twice must bind the same text */
  | { readonly kind: 'capture'; readonly name: string }
  /** `**`, last only: one segment or more */
  | { readonly kind: 'tail' };

/** Which identities are meant: exact trust domain, then segments. Never a regular expression. */
export interface IdentityPattern {
  readonly text: string;
  readonly trustDomain: string;
  readonly segments: readonly PatternSegment[];
}

export interface IdentityMatch {
  readonly matched: boolean;
  readonly captures: Readonly<Record<string, string>>;
  /** the first place where the two differ, in words; undefined when they match */
  readonly nearest: string | undefined;
}

const SCHEME = 'spiffe://';
const MAX_LENGTH = 2048;

/**
 * Such as `spiffe://td/ns/{ns}/task/{task}/step/**`. A wildcard stands for whole segments and never for the trust domain.
 * Throws IDENTITY_PATTERN_INVALID.
 */
export function parseIdentityPattern(text: string): IdentityPattern {
  if (text.length > MAX_LENGTH) throw invalid(text, `at most ${MAX_LENGTH} characters`);
  if (!text.startsWith(SCHEME)) throw invalid(text, `a pattern that begins with ${SCHEME}`);
  const [trustDomain, ...parts] = text.slice(SCHEME.length).split('/');
  const fault = trustDomainFault(trustDomain!);
  if (fault !== undefined) throw invalid(text, `${fault}, without wildcards`);
  const segments = parts.map((part, index) => patternSegment(text, part, index === parts.length - 1));
  return { text, trustDomain: trustDomain!, segments };
}

function patternSegment(text: string, part: string, last: boolean): PatternSegment {
  if (part === '*') return { kind: 'any' };
  if (part === '**') {
    if (!last) throw invalid(text, '** as the last segment only');
    return { kind: 'tail' };
  }
  const capture = /^\{([a-z][A-Za-z0-9]{0,31})\}$/.exec(part);
  if (capture) return { kind: 'capture', name: capture[1]! };
  const fault = segmentFault(part);
  if (fault !== undefined) throw invalid(text, `${fault}; wildcards are *, ** and {name}, each a whole segment`);
  return { kind: 'literal', text: part };
}

/** Matches segment by segment. `bound` fixes the values of captures, such as those of an earlier match. */
export function matchIdentity(pattern: IdentityPattern, id: SpiffeId, bound: Readonly<Record<string, string>> = {}): IdentityMatch {
  const captures: Record<string, string> = { ...bound };
  const miss = (nearest: string): IdentityMatch => ({ matched: false, captures: {}, nearest });
  if (pattern.trustDomain !== id.trustDomain) return miss(`trust domain: expected ${pattern.trustDomain}, found ${id.trustDomain}`);
  for (const [index, segment] of pattern.segments.entries()) {
    const found = id.segments[index];
    const place = `path segment ${index + 1}`;
    if (found === undefined) return miss(`${place}: expected ${describe(segment)}, found the end`);
    if (segment.kind === 'tail') return { matched: true, captures, nearest: undefined };
    if (segment.kind === 'literal' && segment.text !== found) return miss(`${place}: expected ${segment.text}, found ${found}`);
    if (segment.kind !== 'capture') continue;
    const before = Object.hasOwn(captures, segment.name) ? captures[segment.name] : undefined;
    if (before !== undefined && before !== found) return miss(`${place}: expected ${before}, as {${segment.name}} is, found ${found}`);
    captures[segment.name] = found;
  }
  const extra = id.segments[pattern.segments.length];
  if (extra !== undefined) return miss(`path segment ${pattern.segments.length + 1}: expected the end, found ${extra}`);
  return { matched: true, captures, nearest: undefined };
}

function describe(segment: PatternSegment): string {
  switch (segment.kind) {
    case 'literal':
      return segment.text;
    case 'any':
      return 'any segment';
    case 'capture':
      return `any segment as {${segment.name}}`;
    case 'tail':
      return 'one or more segments';
  }
}

function invalid(found: string, expected: string): StepsealError {
  return new StepsealError('IDENTITY_PATTERN_INVALID', 'not an identity pattern', { expected, found: JSON.stringify(found) });
}
