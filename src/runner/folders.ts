import { closeSync, constants, mkdirSync, openSync, readlinkSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
  /** of the directory, to know it again */
  readonly device: number;
  readonly inode: number;
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
    const directory = sourceOf(run, used, hidden);
    const { dev, ino } = statSync(directory);
    return { name: used.name, directory, device: dev, inode: ino, mountPath: used.mountPath ?? `/workspace/${used.name}`, readOnly: used.readOnly };
  });
  return { base, tekton, workspace, workspaces: folders };
}

function sourceOf(run: string, { name, from, source, subPath }: ResolvedWorkspace, hidden: readonly string[]): string {
  const root = 'directory' in source ? existing(source.directory, name) : join(run, 'volumes', from);
  mkdirSync(root, { recursive: true, mode: 0o755 });
  const real = makeBelow(root, subPath, name);
  if ('directory' in source && hidden.some((folder) => isBelow(real, folder))) throw invalid(name, 'a directory outside the folders that steps must not see', real);
  return real;
}

/** Makes what is missing of a subPath, as Kubernetes does, by descriptors: an earlier step may have left links in the volume, or exchange folders now. */
function makeBelow(root: string, subPath: string, workspace: string): string {
  let fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const part of subPath.split('/').filter((each) => each !== '' && each !== '.')) {
      if (part === '..') throw invalid(workspace, 'a subPath that does not leave the workspace', subPath);
      const next = enterFolder(`/proc/self/fd/${fd}/${part}`);
      if (next === undefined) throw invalid(workspace, 'a subPath that is folders only, no links', subPath);
      closeSync(fd);
      fd = next;
    }
    return readlinkSync(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

function enterFolder(path: string): number | undefined {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (['ELOOP', 'ENOTDIR', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
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
