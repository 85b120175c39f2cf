import { isStepsealError, StepsealError } from '../base/errors.ts';
import { openBundle, type OpenedBundle } from './opened.ts';

export interface NamedBytes {
  /** file name, for people */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Everything that was provided; what cannot be read counts as not there, but is told. */
export interface EvidenceSet {
  readonly bundles: readonly OpenedBundle[];
  readonly unreadable: readonly { readonly name: string; readonly error: StepsealError }[];
}

export function openAll(files: readonly NamedBytes[]): EvidenceSet {
  const bundles: OpenedBundle[] = [];
  const unreadable: { name: string; error: StepsealError }[] = [];
  for (const { name, bytes } of files) {
    try {
      bundles.push(openBundle(bytes, name));
    } catch (error) {
      if (!isStepsealError(error)) throw error;
      unreadable.push({ name, error });
    }
  }
  return { bundles, unreadable };
}

/** What is missing, with the files that could have been it. One unreadable file and nothing else: its own fault is the answer. */
export function missing(set: EvidenceSet, error: StepsealError): StepsealError {
  if (set.unreadable.length === 0) return error;
  const [first] = set.unreadable;
  if (set.bundles.length === 0 && set.unreadable.length === 1) return first!.error;
  const names = set.unreadable.map(({ name, error: fault }) => `${name} (${fault.code})`).join(', ');
  return new StepsealError(error.code, `${error.message}; unreadable: ${names}`, {
    ...(error.expected !== undefined && { expected: error.expected }),
    ...(error.found !== undefined && { found: error.found }),
  });
}
