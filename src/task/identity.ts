/**
 * SPIFFE path of a step (DESIGN section 3), from resolved references only. `task` is the TaskRun's part as
 * `taskIdentity` gives it. Every name is a DNS-1123 label or subdomain, so nothing needs escaping.
 */
export function identityPath(task: { readonly identity: string }, step: { readonly name: string }): string {
  return `${task.identity}/step/${step.name}`;
}

/** `pipeline`, `task`: a named object; `inline`: digest of a spec that has no name, hex. */
export type IdentityOwner =
  | { readonly task: string }
  | { readonly pipeline: string; readonly pipelineTask: string }
  | { readonly inline: string; readonly pipelineTask?: string };

export function taskIdentity(namespace: string, owner: IdentityOwner): string {
  if ('task' in owner) return `/ns/${namespace}/task/${owner.task}`;
  if ('pipeline' in owner) return `/ns/${namespace}/pipeline/${owner.pipeline}/task/${owner.pipelineTask}`;
  return `/ns/${namespace}/inline/${owner.inline}${owner.pipelineTask === undefined ? '' : `/task/${owner.pipelineTask}`}`;
}
