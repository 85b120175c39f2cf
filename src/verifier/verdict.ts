import { type Code, isStepsealError, StepsealError } from '../base/errors.ts';

/** `unavailable`: could not be checked, because something that it needs failed or is not there. */
export type Status = 'ok' | 'fail' | 'unavailable';

/** The links of the chain, by their stable names. */
export type Link =
  | 'chain' | 'bundle' | 'format' | 'time' | 'certificate' | 'transparency' | 'evidence' | 'identity' | 'issuer'
  | 'log' | 'inclusion' | 'checkpoint' | 'signature' | 'artifact' | 'provenance' | 'builder' | 'subject' | 'steps' | 'step'
  | 'claim' | 'node' | 'graph' | 'run' | 'outputs' | 'results' | 'linkage' | 'keys';

/** What was found out about one link, and below it about its parts. */
export interface Verdict {
  readonly link: Link;
  readonly status: Status;
  /** which one, where there are several: a file, a step */
  readonly of?: string;
  /** what was established, in words; on failure why not */
  readonly message: string;
  readonly code?: Code;
  readonly expected?: string;
  readonly found?: string;
  /** digests of what it rests on: name to hex SHA-256 */
  readonly evidence?: Readonly<Record<string, string>>;
  readonly children: readonly Verdict[];
}

export interface Established {
  readonly message: string;
  readonly evidence?: Readonly<Record<string, string>>;
}

/** Runs one check: its sentence becomes `ok`, a StepsealError becomes `fail` (`unavailable` for errors of that kind). Other errors pass. */
export function check(link: Link, inner: () => Established | string): Verdict {
  try {
    const result = inner();
    return typeof result === 'string' ? { link, status: 'ok', message: result, children: [] } : { link, status: 'ok', ...result, children: [] };
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return failed(link, error);
  }
}

export function failed(link: Link, error: StepsealError): Verdict {
  return {
    link,
    status: error.kind === 'unavailable' ? 'unavailable' : 'fail',
    message: error.message,
    code: error.code,
    ...(error.expected !== undefined && { expected: error.expected }),
    ...(error.found !== undefined && { found: error.found }),
    children: [],
  };
}

/** A check that was not made because of another link. */
export function notChecked(link: Link, because: Link): Verdict {
  return { link, status: 'unavailable', message: `not checked, as ${because} failed`, children: [] };
}

/** A link made of others: fails when one fails, and when there is none (EVIDENCE_INCOMPLETE). */
export function combine(link: Link, message: string, children: readonly Verdict[], rest: Partial<Verdict> = {}): Verdict {
  if (children.length === 0) return failed(link, new StepsealError('EVIDENCE_INCOMPLETE', 'nothing was there to verify'));
  const status = children.some((child) => child.status === 'fail') ? 'fail' : children.some((child) => child.status === 'unavailable') ? 'unavailable' : 'ok';
  return { link, status, message: status === 'ok' ? message : firstFault(children).message, children, ...rest };
}

/** The deepest first failing link: what is to be told in one line. */
export function firstFault(verdicts: readonly Verdict[]): Verdict {
  const fault = verdicts.find(({ status }) => status === 'fail') ?? verdicts.find(({ status }) => status === 'unavailable')!;
  return fault.code === undefined && fault.children.length > 0 ? firstFault(fault.children) : fault;
}
