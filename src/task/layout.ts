import type { TaskRunPlan } from './runPlan.ts';

/** Where a step finds its files, as the step sees them. */
export interface Layout {
  /** stands for /tekton */
  readonly tekton: string;
  /** stands for /workspace; relative working directories are below it */
  readonly workspace: string;
  /** workspace → directory; only those that are bound */
  readonly workspaces: Readonly<Record<string, string>>;
}

export interface StepFiles {
  readonly results: string;
  readonly stepResults: string;
  readonly stepArtifacts: string;
  readonly taskArtifacts: string;
  readonly exitCode: string;
  readonly script: string;
  readonly home: string;
}

/** Tekton's own places (facts: tekton.md sections 4.2 and 4.3), which a mount namespace can have. `bound`: names that have a source. */
export function isolatedLayout(taskRun: TaskRunPlan, bound: readonly string[]): Layout {
  const used = taskRun.workspaces.filter((workspace) => bound.includes(workspace.name));
  return {
    tekton: '/tekton',
    workspace: '/workspace',
    workspaces: Object.fromEntries(used.map((workspace) => [workspace.name, workspace.mountPath ?? `/workspace/${workspace.name}`])),
  };
}

export function stepFiles(layout: Layout, step: { readonly name: string; readonly index: number }): StepFiles {
  const { tekton } = layout;
  const own = `${tekton}/steps/step-${step.name}`;
  return {
    results: `${tekton}/results`,
    stepResults: `${own}/results`,
    stepArtifacts: `${own}/artifacts/provenance.json`,
    taskArtifacts: `${tekton}/artifacts/provenance.json`,
    exitCode: `${own}/exitCode`,
    script: `${tekton}/scripts/script-${step.index}`,
    home: `${tekton}/home`,
  };
}
