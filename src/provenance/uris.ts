/** Predicate types and build types (docs/formats.md). What is signed under one of these is never reinterpreted: a change gets a new number. */
export const STEP_CLAIM = 'https://stepseal.dev/step/v1';
export const NODE_EVIDENCE = 'https://stepseal.dev/node-evidence/v1';
export const SLSA_PROVENANCE = 'https://slsa.dev/provenance/v1';
/** `type` of the canonical evidence that a certificate carries by digest. */
export const ATTEMPT_EVIDENCE = 'https://stepseal.dev/evidence/v1';
/** One TaskRun or PipelineRun, as docs/formats.md describes its external parameters. */
export const BUILD_TYPE = 'https://stepseal.dev/buildtypes/tekton-run/v1';

export type Mode = 'local' | 'local-unisolated';

/** `builder.id`: this installation in this isolation mode (DESIGN §2). */
export function builderId(trustDomain: string, mode: Mode): string {
  return `https://${trustDomain}/stepseal/${mode}`;
}

/** `invocationId`: the run by its UID, never by a name that can be used again. */
export function invocationId(trustDomain: string, runUid: string): string {
  return `https://${trustDomain}/stepseal/runs/${runUid}`;
}

/** The only identity whose provenance counts. */
export function provenanceIdentity(trustDomain: string): string {
  return `spiffe://${trustDomain}/stepseal/provenance`;
}
