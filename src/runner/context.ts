import type { Clock } from '../base/ports.ts';
import type { Stub } from '../rpc/client.ts';
import type { Admin } from '../rpc/gen/stepseal/admin_pb.js';
import type { Runner } from '../rpc/gen/stepseal/runner_pb.js';
import type { RunPlan, TaskRunPlan } from '../task/runPlan.ts';
import type { Layout } from '../task/layout.ts';
import type { Values } from '../task/value.ts';
import type { RunEvent, SealedArtifact, StepName } from './events.ts';
import type { TaskFolders } from './folders.ts';
import type { HiddenFolder } from './hidden.ts';
import type { Isolation } from './isolation.ts';

export interface RunnerOptions {
  readonly agent: Pick<Stub<typeof Runner>, 'startStep' | 'endStep'>;
  readonly admin: Pick<Stub<typeof Admin>, 'createRun' | 'finishRun'>;
  /** as probeIsolation found */
  readonly isolation: Isolation;
  /** the agent's sockets, as this process sees them */
  readonly sockets: { readonly workload: string; readonly seal: string };
  /** folders that no step may see: state of server and agent, what other runs wrote. Those that exist not are left out. */
  readonly hide: readonly string[];
  /** where a folder for this run is made, removed at its end */
  readonly folder: string;
  /** PATH of steps */
  readonly path: string;
  readonly clock: Clock;
  readonly onEvent: (event: RunEvent) => void;
  /** aborted: every step ends at once, the run is not finished */
  readonly signal?: AbortSignal;
  /** Where a sealed artifact's file is to be copied to, an absolute path that does not exist; undefined for nowhere. */
  readonly placeArtifact?: (artifact: SealedArtifact, step: StepName) => string | undefined;
}

/** A run that goes on. */
export interface RunContext {
  readonly options: RunnerOptions;
  readonly plan: RunPlan;
  readonly runUid: string;
  readonly hidden: readonly HiddenFolder[];
  /** code and sentence of everything that was refused or went wrong beside the steps' own failures */
  readonly problems: Problem[];
}

export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** A TaskRun that goes on. */
export interface TaskContext {
  readonly run: RunContext;
  readonly taskRun: TaskRunPlan;
  readonly uid: string;
  readonly params: Values;
  readonly folders: TaskFolders;
  readonly layout: Layout;
  /** ms since the epoch by performance.now's clock; Infinity for none */
  readonly deadline: number;
  /** result → content as observed, newest */
  readonly results: Record<string, string>;
  /** result → SHA-256 as observed, hex, newest */
  readonly digests: Record<string, string>;
  readonly stepResults: Record<string, Record<string, string>>;
}
