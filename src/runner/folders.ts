import { mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StepsealError } from '../base/errors.ts';
import type { Layout } from '../task/layout.ts';
import type { ResolvedWorkspace } from '../task/resolve.ts';
import type { TaskRunPlan } from '../task/runPlan.ts';
import { below, isBelow } from './mountinfo.ts';

/** Folders of this machine that stand behind a TaskRun's /tekton, /workspace and workspaces. */
export interface TaskFolders {
  readonly base: string;
  readonly tekton: string;
  readonly workspace: string;
  readonly workspaces: readonly WorkspaceFolder[];
}

export interface WorkspaceFolder {
  readonly name: string;
  readonly directory: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
}

/** Makes them below `run`, empty, for the operator only. Throws TASK_WORKSPACE_INVALID. */
export function makeTaskFolders(run: string, taskRun: TaskRunPlan, workspaces: readonly ResolvedWorkspace[], hidden: readonly string[]): TaskFolders {
  const base = join(run, taskRun.pipelineTask === '' ? 'task' : `task-${taskRun.pipelineTask}`);
  const tekton = join(base, 'tekton');
  const workspace = join(base, 'workspace');
  for (const name of ['results', 'artifacts', 'scripts', 'home', 'creds']) mkdirSync(join(tekton, name), { recursive: true, mode: 0o700 });
  for (const step of taskRun.spec.steps) {
    for (const name of ['results', 'artifacts']) mkdirSync(join(tekton, 'steps', `step-${step.name}`, name), { recursive: true, mode: 0o700 });
  }
  mkdirSync(workspace, { mode: 0o700 });
  // Node looks upwards for one: the folder that the run was started in is not the step's
  writeFileSync(join(base, 'package.json'), '{}');
  const folders = workspaces.map((used) => {
    mkdirSync(join(workspace, used.name), { mode: 0o700 });
    return { name: used.name, directory: sourceOf(run, used, hidden), mountPath: used.mountPath ?? `/workspace/${used.name}`, readOnly: used.readOnly };
  });
  return { base, tekton, workspace, workspaces: folders };
}

function sourceOf(run: string, { name, from, source, subPath }: ResolvedWorkspace, hidden: readonly string[]): string {
  const root = 'directory' in source ? existing(source.directory, name) : join(run, 'volumes', from);
  const directory = join(root, subPath);
  // as Kubernetes does for a subPath
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const real = existing(directory, name);
  if (!isBelow(real, realpathSync(root))) throw invalid(name, 'a subPath that does not leave the workspace', real);
  if ('directory' in source && hidden.some((folder) => isBelow(real, folder))) throw invalid(name, 'a directory outside the folders that steps must not see', real);
  return real;
}

function existing(directory: string, name: string): string {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) throw invalid(name, 'a directory that exists', directory);
  return realpathSync(directory);
}

function invalid(name: string, expected: string, found: string): StepsealError {
  return new StepsealError('TASK_WORKSPACE_INVALID', `workspace ${name} cannot be this directory`, { expected, found });
}

/** Where there is no mount namespace, steps see the folders where they are. */
export function plainLayout(folders: TaskFolders): Layout {
  return { tekton: folders.tekton, workspace: folders.workspace, workspaces: Object.fromEntries(folders.workspaces.map(({ name, directory }) => [name, directory])) };
}

/** Content of `$(steps.step-x.exitCode.path)`; a file of this name that a step left is not written through. */
export function writeExitCode(folders: TaskFolders, step: string, exitCode: number): void {
  const path = join(folders.tekton, 'steps', `step-${step}`, 'exitCode');
  rmSync(path, { force: true, recursive: true });
  writeFileSync(path, String(exitCode), { flag: 'wx', mode: 0o644 });
}

export function writeScript(folders: TaskFolders, path: string, seenTekton: string, script: string): void {
  writeFileSync(join(folders.tekton, below(path, seenTekton)), script, { flag: 'wx', mode: 0o755 });
}

/** Step's own /tmp and /var/tmp. */
export function makeTemporary(folders: TaskFolders, step: string): string {
  const path = join(folders.base, 'tmp', step);
  for (const name of ['tmp', 'var-tmp']) mkdirSync(join(path, name), { recursive: true, mode: 0o700 });
  return path;
}
