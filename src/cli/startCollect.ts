import { parseStatement } from '../envelope/statement.ts';
import { parseBundle } from '../envelope/bundle.ts';
import { STEP_CLAIM, NODE_EVIDENCE } from '../provenance/uris.ts';
import type { RunEvent, SealedArtifact, StepName } from '../runner/events.ts';
import type { OutFolder, WrittenArtifact, WrittenAttestation } from './startOut.ts';

/** What a run leaves, as it comes: bundles are written at once, the artifacts' files by the runner. */
export interface Collected {
  readonly artifacts: readonly WrittenArtifact[];
  readonly attestations: readonly (WrittenAttestation & { readonly sha256s: readonly string[] })[];
}

export interface Collector extends Collected {
  readonly onEvent: (event: RunEvent) => void;
  readonly placeArtifact: (artifact: SealedArtifact, step: StepName) => string;
}

export function createCollector(out: OutFolder): Collector {
  const artifacts: WrittenArtifact[] = [];
  const attestations: (WrittenAttestation & { sha256s: string[] })[] = [];
  const identities = new Map<string, string>();
  const keyOf = ({ pipelineTask, step }: StepName): string => (pipelineTask === '' ? step : `${pipelineTask}.${step}`);

  const attest = (name: string, bundle: Uint8Array, identity: string, predicateType: string): void => {
    const path = out.write(out.free(`${name}.sigstore.json`), bundle);
    attestations.push({ path, identity, predicateType, sha256s: subjectsOf(bundle) });
  };
  return {
    artifacts,
    attestations,
    onEvent(event) {
      if (event.kind === 'step-started') identities.set(keyOf(event), event.spiffeId);
      if (event.kind !== 'step-sealed') return;
      const key = keyOf(event);
      const identity = identities.get(key)!;
      const { sealed } = event;
      for (const { name, sha256, bundle, path } of sealed.artifacts) {
        const file = path === '' ? undefined : out.free(name);
        const bundlePath = out.write(out.free(`${file ?? name}.sigstore.json`), bundle);
        artifacts.push({ path: file, name, sha256, bundle: { path: bundlePath, identity } });
      }
      if (sealed.claim) attest(`${key}.claim`, sealed.claim.bundle, identity, STEP_CLAIM);
      if (sealed.evidence) attest(`${key}.evidence`, sealed.evidence.bundle, 'agent', NODE_EVIDENCE);
    },
    placeArtifact: ({ name, sha256, path }) => {
      const known = artifacts.findLast((artifact) => artifact.name === name && artifact.sha256 === sha256 && artifact.path !== undefined);
      return out.path(known?.path ?? out.free(path));
    },
  };
}

function subjectsOf(bundle: Uint8Array): string[] {
  const { content } = parseBundle(bundle);
  return content.kind === 'dsse' ? parseStatement(content.payload).subject.flatMap(({ digest }) => digest['sha256'] ?? []) : [];
}
