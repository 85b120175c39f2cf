import { StepsealError } from '../base/errors.ts';
import type { StepHold } from '../attestor/step.ts';
import type { EarlierSeal } from '../provenance/claim.ts';
import type { AttemptEvidence, StepPaths } from '../provenance/evidence.ts';
import type { ResultType } from '../provenance/result.ts';

/** A step attempt that this agent attested, as long as it holds the step's first process. */
export interface Attempt {
  readonly id: string;
  readonly spiffeId: string;
  readonly evidence: AttemptEvidence;
  readonly hold: StepHold;
  readonly paths: StepPaths;
  /** declared results of the Task and of the step: name → type */
  readonly results: ReadonlyMap<string, ResultType>;
  readonly stepResults: ReadonlyMap<string, ResultType>;
  /** items that the step asked to have sealed */
  asked: number;
  /** what the step itself had sealed */
  readonly seals: EarlierSeal[];
  /** files among it: path as the step sees it → SHA-256, hex */
  readonly sealedFiles: Map<string, string>;
  /** Seals of the step that are under way; the end waits for them */
  readonly underWay: Set<Promise<unknown>>;
}

/** What a TaskRun's finished steps left, to notice what a later step does to it. */
export interface TaskRunMemory {
  /** task result → the step that left it first, and the SHA-256 (hex) that it had at the end of the last step; undefined: gone */
  readonly results: Map<string, { readonly step: string; readonly sha256: string | undefined }>;
  /** SHA-256 of the task's artifacts file, hex; '' for none */
  artifactsFile: string;
}

export interface Attempts {
  add(attempt: Attempt): void;
  find(id: string): Attempt | undefined;
  /** Takes it out: from now on it is ended. Throws ATTEMPT_ENDED. */
  take(id: string): Attempt;
  open(): Attempt[];
  memory(taskRunUid: string): TaskRunMemory;
}

/** TaskRuns that are remembered; a runner works on a handful at once */
const MEMORIES = 1000;

export function createAttempts(): Attempts {
  const attempts = new Map<string, Attempt>();
  const memories = new Map<string, TaskRunMemory>();
  return {
    add: (attempt) => void attempts.set(attempt.id, attempt),
    find: (id) => attempts.get(id),
    take(id) {
      const attempt = attempts.get(id);
      if (attempt === undefined) throw new StepsealError('ATTEMPT_ENDED', 'no such attempt is open', { found: id });
      attempts.delete(id);
      return attempt;
    },
    open: () => [...attempts.values()],
    memory(taskRunUid) {
      const known = memories.get(taskRunUid) ?? { results: new Map(), artifactsFile: '' };
      memories.delete(taskRunUid);
      memories.set(taskRunUid, known);
      const [oldest] = memories.keys();
      if (memories.size > MEMORIES) memories.delete(oldest!);
      return known;
    },
  };
}
