import { StepsealError } from '../base/errors.ts';
import { unsupported } from './fields.ts';
import type { TaskDocument, TektonDocument, WorkspaceBinding } from './model.ts';
import type { WorkspaceSource } from './runPlan.ts';

/** Throws TASK_REFERENCE_UNRESOLVED. */
export function findTask(documents: readonly TektonDocument[], name: string, place: string): TaskDocument {
  const found = documents.find((document): document is TaskDocument => document.kind === 'Task' && document.name === name);
  if (found) return found;
  const known = documents.flatMap((document) => (document.kind === 'Task' ? [document.name] : []));
  throw new StepsealError('TASK_REFERENCE_UNRESOLVED', `${place}: no Task of this name is among the documents`, {
    expected: known.join(', ') || 'a Task in one of the files',
    found: name,
  });
}

/**
 * A source for every declared workspace: the person's directory, else the run's emptyDir.
 * Throws TASK_WORKSPACE_MISSING, TASK_WORKSPACE_INVALID, TASK_FIELD_UNSUPPORTED (a volume that only a cluster has).
 */
export function bindWorkspaces(
  declared: readonly { readonly name: string; readonly optional: boolean }[],
  bindings: readonly WorkspaceBinding[],
  given: Readonly<Record<string, string>>,
  place: string,
): Record<string, WorkspaceSource> {
  const names = declared.map((workspace) => workspace.name);
  for (const name of [...Object.keys(given), ...bindings.map((binding) => binding.name)]) {
    if (names.includes(name)) continue;
    throw new StepsealError('TASK_WORKSPACE_INVALID', `${place}: no workspace of this name is declared`, { expected: names.join(', ') || 'no workspace', found: name });
  }
  const sources: Record<string, WorkspaceSource> = {};
  for (const { name, optional } of declared) {
    const binding = bindings.find((candidate) => candidate.name === name);
    if (Object.hasOwn(given, name)) sources[name] = { directory: absolute(given[name]!, name) };
    else if (binding?.volume !== undefined) throw unsupported(binding.volume, `emptyDir, or a directory given for workspace ${name}`);
    else if (binding?.emptyDir) sources[name] = { emptyDir: true };
    else if (!optional || binding !== undefined) throw new StepsealError('TASK_WORKSPACE_MISSING', `${place}: workspace ${name} needs a directory`);
  }
  return sources;
}

function absolute(directory: string, workspace: string): string {
  if (directory.startsWith('/') && !directory.includes('\0')) return directory;
  throw new StepsealError('TASK_WORKSPACE_INVALID', `workspace ${workspace} needs an absolute directory`, { found: directory });
}
