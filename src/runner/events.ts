import type { Outcome } from '../provenance/run.ts';
import type { Incoming } from '../rpc/definition.ts';
import type { EndStepResponseSchema, SealedArtifactSchema } from '../rpc/gen/stepseal/runner_pb.js';
import type { Note } from '../task/model.ts';
import type { RunPlan } from '../task/runPlan.ts';
import type { Values } from '../task/value.ts';
import type { Isolation } from './isolation.ts';

export interface StepName {
  /** '' for a single Task */
  readonly pipelineTask: string;
  readonly step: string;
}

export type SealedArtifact = Incoming<typeof SealedArtifactSchema>;

/** What happens in a run, in the order in which it happens; tasks without order between them interleave. */
export type RunEvent =
  | { readonly kind: 'planned'; readonly plan: RunPlan; readonly isolation: Isolation; readonly notes: readonly Note[] }
  | { readonly kind: 'created'; readonly runUid: string; readonly taskRuns: readonly { readonly uid: string; readonly pipelineTask: string }[] }
  | { readonly kind: 'task-started'; readonly pipelineTask: string; readonly task: string; readonly uid: string; readonly params: Values }
  | StepStarted
  | ({ readonly kind: 'output'; readonly stream: 'stdout' | 'stderr'; readonly line: string } & StepName)
  | ({ readonly kind: 'step-sealed'; readonly sealed: Incoming<typeof EndStepResponseSchema> } & StepName)
  | StepEnded
  | ({ readonly kind: 'step-skipped'; readonly reason: string } & StepName)
  | TaskEnded
  | { readonly kind: 'ended'; readonly outcome: Outcome; readonly reason: string; readonly results: Values };

interface StepStarted extends StepName {
  readonly kind: 'step-started';
  readonly image: string;
  readonly spiffeId: string;
  /** what the agent attested, a short line each */
  readonly attested: readonly string[];
  readonly grantedMs: number;
  /** of the agent, for attesting and the identity */
  readonly elapsedUs: number;
  /** from the first command for the step to its identity */
  readonly ms: number;
}

interface StepEnded extends StepName {
  readonly kind: 'step-ended';
  readonly outcome: Outcome;
  readonly exitCode: number;
  readonly reason: StepReason;
  readonly ms: number;
  /** processes that the step left behind, killed */
  readonly leftovers: number;
}

interface TaskEnded {
  readonly kind: 'task-ended';
  readonly pipelineTask: string;
  readonly outcome: Outcome;
  readonly reason: string;
  /** content as observed */
  readonly results: Readonly<Record<string, string>>;
}

export type StepReason = '' | 'timeout' | 'error';
