import { sha256, utf8 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { canonicalJson } from '../base/json.ts';
import type { Isolation } from './evidence.ts';
import type { ResultType, ResultValue } from './result.ts';

/** A document that the server resolved itself. */
export interface Definition {
  readonly kind: 'Task' | 'Pipeline';
  readonly name: string;
  /** SHA-256 of its spec (RFC 8785), hex */
  readonly sha256: string;
}

/** Everything that whoever starts a run can choose; the build type's external parameters, complete (docs/formats.md). */
export interface ExternalParameters {
  /** what runs: the Task or the Pipeline */
  readonly definition: Definition;
  /** SHA-256 of the spec of the TaskRun or PipelineRun document (RFC 8785), hex; absent where none was given */
  readonly runSpec?: string;
  /** all declared params with the values that were used, defaults included */
  readonly params: Readonly<Record<string, ResultValue>>;
  /** names of the workspaces that were bound, sorted */
  readonly workspaces: readonly string[];
}

/** What attempts carry as parametersDigest: SHA-256 of the RFC 8785 JSON of the external parameters as provenance writes them, hex. */
export function externalParametersDigest(parameters: ExternalParameters): string {
  return toHex(sha256(utf8(canonicalJson(externalParametersJson(parameters)))));
}

export function externalParametersJson(parameters: ExternalParameters): Record<string, unknown> {
  const { definition, runSpec, params, workspaces } = parameters;
  return {
    definition: { kind: definition.kind, name: definition.name, digest: { sha256: definition.sha256 } },
    params,
    // undefined is left out by canonicalJson
    runSpec: runSpec === undefined ? undefined : { digest: { sha256: runSpec } },
    workspaces,
  };
}

export interface DeclaredResult {
  readonly name: string;
  readonly type: ResultType;
}

export interface ExpectedStep {
  readonly name: string;
  /** SPIFFE ID that the server granted, or would have */
  readonly identity: string;
  /** as declared; '' where none */
  readonly image: string;
  readonly results: readonly DeclaredResult[];
}

export interface ExpectedTaskRun {
  readonly uid: string;
  /** '' for a single Task */
  readonly pipelineTask: string;
  readonly task: string;
  /** SHA-256 of the Task spec (RFC 8785), hex */
  readonly taskDigest: string;
  /** in order */
  readonly steps: readonly ExpectedStep[];
  readonly results: readonly DeclaredResult[];
}

/** Something the run was made from. */
export interface Dependency {
  readonly name: string;
  /** '' where unknown */
  readonly uri: string;
  /** in-toto DigestSet */
  readonly digest: Readonly<Record<string, string>>;
  /** who says so */
  readonly source: 'control-plane' | 'tenant';
}

/** The server's own view of a run: what it resolved when the run was created. */
export interface RunFacts {
  readonly trustDomain: string;
  readonly runUid: string;
  readonly isolation: Isolation;
  readonly externalParameters: ExternalParameters;
  /** the documents, and what else the server knows */
  readonly dependencies: readonly Dependency[];
  readonly taskRuns: readonly ExpectedTaskRun[];
}
