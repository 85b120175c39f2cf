import type { Note, OnError, Param, ResultSpec, TaskSpec, WhenExpression } from './model.ts';
import type { Values } from './value.ts';

/** A directory of this machine, or an empty folder that the runner makes for this run. */
export type WorkspaceSource = { readonly directory: string } | { readonly emptyDir: true };

/** What will run, references resolved and checked; plain data, the same for server and runner. */
export interface RunPlan {
  readonly kind: 'TaskRun' | 'PipelineRun';
  readonly namespace: string;
  /** of the run object; ends in `-` where a part of the run's UID follows (runName) */
  readonly name: string;
  /** '' where the spec is inline, or the run is of a single Task */
  readonly pipeline: string;
  /** of the Pipeline's spec; '' for a single Task */
  readonly pipelineDigest: string;
  /** the Pipeline's parameters with defaults, or the Task's */
  readonly params: Values;
  /** of the Pipeline; empty for a single Task */
  readonly results: readonly ResultSpec[];
  /** of the Pipeline, or of the single Task: those that have a source */
  readonly workspaces: Readonly<Record<string, WorkspaceSource>>;
  /** of the Pipeline, also optional ones that are not given */
  readonly declaredWorkspaces: readonly string[];
  /** an order in which everything comes after what it needs; `finally` last */
  readonly taskRuns: readonly TaskRunPlan[];
  readonly timeouts: { readonly pipeline?: number; readonly tasks?: number; readonly finally?: number };
  readonly notes: readonly Note[];
}

export interface TaskRunPlan {
  /** name in the Pipeline; '' for a single Task */
  readonly pipelineTask: string;
  /** name of the Task object; '' where the spec is inline */
  readonly task: string;
  /** SPIFFE path before `/step/…`, as DESIGN section 3 names it */
  readonly identity: string;
  readonly spec: TaskSpec;
  /** names in the Pipeline that come before: runAfter, and tasks whose results are used */
  readonly after: readonly string[];
  /** of these, the ones whose results are used */
  readonly uses: readonly string[];
  readonly finally: boolean;
  /** as written in the Pipeline, variables in it */
  readonly params: readonly Param[];
  readonly when: readonly WhenExpression[];
  readonly workspaces: readonly WorkspaceUse[];
  /** values that are known before the run: of a single Task all, of a Pipeline what an embedded spec may use undeclared */
  readonly propagated: Values;
  /** the spec stands in the Pipeline, whose context variables it may use */
  readonly embedded: boolean;
  /** 0 for none */
  readonly timeoutMs?: number;
  readonly onError: OnError;
  readonly path: string;
}

/** A workspace of a Task and where it comes from. */
export interface WorkspaceUse {
  /** as the Task declares it */
  readonly name: string;
  /** in RunPlan.workspaces; undefined where an optional workspace is not given */
  readonly from: string | undefined;
  /** one after the other below the directory; may hold variables of the Pipeline */
  readonly subPaths: readonly string[];
  readonly mountPath?: string;
  readonly readOnly: boolean;
}
