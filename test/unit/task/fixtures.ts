import { planRun, type PlanOptions } from '../../../src/task/plan.ts';
import { readDocuments } from '../../../src/task/readDocuments.ts';
import type { RunPlan } from '../../../src/task/runPlan.ts';

const indent = (text: string): string => text.trim().replaceAll(/^/gm, '  ');

export function object(kind: string, name: string, spec: string): string {
  return `---\napiVersion: tekton.dev/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n${indent(spec)}\n`;
}

export function plan(yaml: string, options: Partial<PlanOptions> = {}): RunPlan {
  return planRun(readDocuments([{ name: 'f.yaml', yaml: new TextEncoder().encode(yaml) }]), { params: {}, workspaces: {}, ...options });
}
