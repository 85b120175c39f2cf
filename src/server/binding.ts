import { sha256, utf8 } from '../base/bytes.ts';
import type { AttestedExtension } from '../ca/signing.ts';
import { parseEvidence } from '../provenance/evidence.ts';
import type { Attempt } from '../store/attempts.ts';
import type { CertificateEvidence, Custody } from '../x509/evidence.ts';

/** What ties a step's certificates to its attempt, of which the server has the evidence. */
export interface StepBinding {
  readonly attempt: string;
  /** SHA-256 of the attempt's canonical evidence */
  readonly evidenceDigest: Uint8Array;
  /** Fulcio's extensions, as far as the server knows them itself: Task digest, runner environment, TaskRun */
  readonly attested: Readonly<Partial<Record<AttestedExtension, string>>>;
}

export function bindingOf(trustDomain: string, { id, evidence }: Pick<Attempt, 'id' | 'evidence'>): StepBinding {
  const { taskDigest, taskRunUid, observed } = parseEvidence(utf8(evidence));
  return {
    attempt: id,
    evidenceDigest: sha256(utf8(evidence)),
    attested: {
      10: `sha256:${taskDigest}`,
      11: observed.isolation === 'isolated' ? 'local' : 'local-unisolated',
      21: `https://${trustDomain}/stepseal/taskruns/${taskRunUid}`,
    },
  };
}

/** The evidence extension: how the key is held, and of a step its attempt. */
export function certificateEvidenceOf(custody: Custody, step: StepBinding | undefined): CertificateEvidence {
  return { custody, ...(step && { attempt: step.attempt, digest: step.evidenceDigest }) };
}
