import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { systemRng } from '../../src/keys/system.ts';
import { parseEvidence, encodeObserved, type AttemptEvidence, type Observed } from '../../src/provenance/evidence.ts';
import { encodeClaim, stepClaim, type ClaimContent } from '../../src/provenance/claim.ts';
import { encodeNodeEvidence, type NodeEvidence } from '../../src/provenance/nodeEvidence.ts';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CallerSchema, SealRequest, SealResponse } from '../../src/rpc/gen/stepseal/node_pb.js';
import { seal, type Content, type SealedContent } from '../../src/signer/seal.ts';
import type { TestAgent, TestServer } from './testServer.ts';

export const TASK = `apiVersion: tekton.dev/v1
kind: Task
metadata:
  name: release
spec:
  results:
    - name: version
  steps:
    - name: build
      image: docker.io/library/debian:12
      script: echo 1.2.3 > $(results.version.path)
    - name: test
      script: 'true'
`;
export const STEP = 'spiffe://example.org/ns/local/task/release/step/build';

export interface OpenedRun {
  readonly runUid: string;
  readonly taskRunUid: string;
}

export async function createRun(server: TestServer): Promise<OpenedRun> {
  const { runUid, taskRuns } = await server.admin.createRun({ documents: [{ name: 'release.yaml', yaml: utf8(TASK) }], isolation: 'isolated' });
  return { runUid, taskRunUid: taskRuns[0]!.uid };
}

export function observed(over: Partial<Observed> = {}): Uint8Array {
  const paths = { results: '/t/results', stepResults: '/t/s/results', stepArtifacts: '/t/s/artifacts', taskArtifacts: '/t/artifacts', workingDir: '/w', workspaces: {} };
  return encodeObserved({
    peer: 'pidfd', isolation: 'isolated', pidNamespace: '4026531836', uid: 1000, gid: 1000, rendered: toHex(sha256(utf8('rendered'))), paths,
    image: 'docker.io/library/debian:12', attested: 1_700_000_000_000, ...over,
  });
}

export interface OpenedAttempt {
  readonly id: string;
  readonly spiffeId: string;
  readonly evidence: AttemptEvidence;
  readonly caller: MessageInitShape<typeof CallerSchema>;
}

export async function openAttempt(agent: TestAgent, { taskRunUid }: OpenedRun, step = 'build', attempt = 0, over: Partial<Observed> = {}): Promise<OpenedAttempt> {
  const { attemptId, spiffeId, evidence } = await agent.node.openAttempt({ taskRunUid, step, attempt, observed: observed(over) });
  return { id: attemptId, spiffeId, evidence: parseEvidence(evidence), caller: { who: { case: 'attemptId', value: attemptId }, peer: 'pidfd' } };
}

export const artifact = (text: string): Content => ({ kind: 'artifact', name: text, sha256: sha256(utf8(text)) });
export const statement = (payload: Uint8Array, name = 'statement'): Content => ({ kind: 'statement', name, payload });

interface SealBy {
  readonly caller: MessageInitShape<typeof CallerSchema>;
  readonly spiffeId: string;
  readonly final?: boolean;
  /** what is sent instead of what signer/seal.ts made */
  readonly change?: (request: SealRequest) => SealRequest;
}

/** Seals as an agent does; `change` is what a broken or hostile one would send. */
export function sealAs(server: TestServer, agent: TestAgent, { change = (request) => request, ...by }: SealBy, ...contents: readonly Content[]): Promise<SealedContent[]> {
  const submit = (request: SealRequest): Promise<SealResponse> => agent.node.seal(change(request));
  return seal({ ...by, contents }, { clock: server.clock, rng: systemRng, prehash: server.prehash, submit });
}

export const NOTHING: ClaimContent = { results: [], artifacts: [], inputs: [], seals: [] };

/** The final claim of an attempt, sealed as its step. */
export async function sealClaim(server: TestServer, agent: TestAgent, { caller, spiffeId, evidence }: OpenedAttempt, content: ClaimContent = NOTHING): Promise<Uint8Array> {
  const [claim] = await sealAs(server, agent, { caller, spiffeId, final: true }, statement(encodeClaim(stepClaim(evidence, content))));
  return claim!.bundle;
}

export function nodeEvidence(evidence: AttemptEvidence, over: Partial<NodeEvidence> = {}): Uint8Array {
  return encodeNodeEvidence({ evidence, started: 1_700_000_000_000, finished: 1_700_000_001_000, exitCode: 0, reason: '', observed: 1_700_000_001_500, results: [], artifacts: [], ...over });
}

export const SELF: MessageInitShape<typeof CallerSchema> = { who: { case: 'self', value: {} } };
