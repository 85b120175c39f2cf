import type { Json } from '../base/json.ts';
import type { Value, ValueType } from './value.ts';

// The honoured part of tekton.dev/v1, names as there. What a document may say beyond it is in fields.ts.

export interface ParamSpec {
  readonly name: string;
  readonly type: ValueType;
  readonly default?: Value;
  /** keys of an object parameter */
  readonly properties?: readonly string[];
  readonly enum?: readonly string[];
}

export interface Param {
  readonly name: string;
  /** as written, variables in it */
  readonly value: Value;
}

export interface ResultSpec {
  readonly name: string;
  readonly type: ValueType;
  readonly properties?: readonly string[];
  /** of a Task result that is made of a step result, or of a Pipeline result */
  readonly value?: Value;
}

export interface WhenExpression {
  readonly input: string;
  readonly operator: 'in' | 'notin';
  readonly values: readonly string[];
}

export interface EnvVar {
  readonly name: string;
  readonly value: string;
}

export interface StepSpec {
  /** `unnamed-{i}` where the document has none, as in Tekton's container names */
  readonly name: string;
  readonly index: number;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly script?: string;
  /** stepTemplate's merged in */
  readonly env: readonly EnvVar[];
  readonly workingDir?: string;
  /** 0 for none */
  readonly timeoutMs?: number;
  readonly onError: OnError;
  readonly results: readonly ResultSpec[];
  readonly when: readonly WhenExpression[];
}

export type OnError = 'continue' | 'stopAndFail';

export interface WorkspaceDeclaration {
  readonly name: string;
  readonly mountPath?: string;
  readonly readOnly: boolean;
  readonly optional: boolean;
}

export interface TaskSpec {
  readonly params: readonly ParamSpec[];
  readonly results: readonly ResultSpec[];
  readonly workspaces: readonly WorkspaceDeclaration[];
  readonly steps: readonly StepSpec[];
  /** SHA-256 of the RFC 8785 form of the spec as written, hex */
  readonly digest: string;
}

export interface WorkspaceBinding {
  readonly name: string;
  readonly subPath?: string;
  /** an empty folder of its own; otherwise the person who starts the run must name a directory */
  readonly emptyDir: boolean;
  /** path of a volume source that only a cluster has, such as persistentVolumeClaim */
  readonly volume?: string;
}

export interface PipelineWorkspaceBinding {
  readonly name: string;
  readonly workspace: string;
  readonly subPath?: string;
}

export interface PipelineTask {
  readonly name: string;
  /** name of a Task, may hold variables; absent where `taskSpec` is there */
  readonly taskRef?: string;
  readonly taskSpec?: TaskSpec;
  readonly runAfter: readonly string[];
  readonly params: readonly Param[];
  readonly workspaces: readonly PipelineWorkspaceBinding[];
  readonly when: readonly WhenExpression[];
  /** 0 for none */
  readonly timeoutMs?: number;
  readonly onError: OnError;
  /** where in its document, for messages */
  readonly path: string;
}

export interface PipelineSpec {
  readonly params: readonly ParamSpec[];
  readonly results: readonly ResultSpec[];
  readonly workspaces: readonly { readonly name: string; readonly optional: boolean }[];
  readonly tasks: readonly PipelineTask[];
  readonly finally: readonly PipelineTask[];
  readonly digest: string;
}

interface Named {
  /** file name and document number, for messages */
  readonly source: string;
  /** metadata.name, or generateName of a run: then it ends in `-` */
  readonly name: string;
  readonly notes: readonly Note[];
}

export interface TaskDocument extends Named {
  readonly kind: 'Task';
  readonly spec: TaskSpec;
}

export interface PipelineDocument extends Named {
  readonly kind: 'Pipeline';
  readonly spec: PipelineSpec;
}

export interface TaskRunDocument extends Named {
  readonly kind: 'TaskRun';
  readonly taskRef?: string;
  readonly taskSpec?: TaskSpec;
  readonly params: readonly Param[];
  readonly workspaces: readonly WorkspaceBinding[];
  /** 0 for none */
  readonly timeoutMs?: number;
}

export interface PipelineRunDocument extends Named {
  readonly kind: 'PipelineRun';
  readonly pipelineRef?: string;
  readonly pipelineSpec?: PipelineSpec;
  readonly params: readonly Param[];
  readonly workspaces: readonly WorkspaceBinding[];
  /** ms; `pipeline` for the whole run */
  readonly timeouts: { readonly pipeline?: number; readonly tasks?: number; readonly finally?: number };
}

export type TektonDocument = TaskDocument | PipelineDocument | TaskRunDocument | PipelineRunDocument;

/** Something a document says that has no effect here; shown in output and recorded in provenance. */
export interface Note {
  /** such as `build.yaml#1: spec.steps[0].image` */
  readonly path: string;
  readonly value: Json;
}
