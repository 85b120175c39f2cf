import { fromUtf8 } from '../base/bytes.ts';
import { parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';

/** One value of an artifact that a step declares, before anything of it is believed. */
export interface DeclaredArtifact {
  /** as the step names it */
  readonly name: string;
  readonly uri: string;
  /** algorithm → hex */
  readonly digest: Readonly<Record<string, string>>;
}

export interface DeclaredArtifacts {
  readonly inputs: readonly DeclaredArtifact[];
  readonly outputs: readonly DeclaredArtifact[];
}

const NONE: DeclaredArtifacts = { inputs: [], outputs: [] };

/** The artifacts file of TEP-0147 (Tekton: docs/artifacts.md): `{"inputs":[…],"outputs":[{"name","values":[{"uri","digest"}]}]}`. Throws ARTIFACTS_INVALID and the codes of parseJson. */
export function readArtifactsFile(bytes: Uint8Array, path: string): DeclaredArtifacts {
  const reader = new Reader(parseJson(fromUtf8(bytes)), path, 'ARTIFACTS_INVALID');
  const list = (name: string): DeclaredArtifact[] => reader.at(name).optional((items) => items.array().flatMap(artifactOf)) ?? [];
  return { inputs: list('inputs'), outputs: list('outputs') };
}

function artifactOf(reader: Reader): DeclaredArtifact[] {
  const name = reader.at('name').string('a name', /./);
  return reader.at('values').array().map((value) => ({
    name,
    uri: value.at('uri').optional((uri) => uri.string()) ?? '',
    digest: Object.fromEntries(Object.keys(value.at('digest').object()).map((algorithm) => [algorithm, value.at('digest').at(algorithm).string()])),
  }));
}

const OUTPUTS = /ARTIFACT_OUTPUTS$/;
const INPUTS = /ARTIFACT_INPUTS$/;

/** An object result `{uri, digest}` whose name ends in ARTIFACT_OUTPUTS or ARTIFACT_INPUTS (Tekton Chains: type hinting). Throws ARTIFACTS_INVALID. */
export function readArtifactResult(name: string, bytes: Uint8Array): DeclaredArtifacts {
  const outputs = OUTPUTS.test(name);
  if (!outputs && !INPUTS.test(name)) return NONE;
  const reader = new Reader(parseJson(fromUtf8(bytes)), `result ${name}`, 'ARTIFACTS_INVALID');
  const [algorithm, hex] = reader.at('digest').string('algorithm:hex', /^[a-z0-9]+:[0-9a-f]+$/).split(':');
  const declared = [{ name, uri: reader.at('uri').string(), digest: { [algorithm!]: hex! } }];
  return outputs ? { inputs: [], outputs: declared } : { inputs: declared, outputs: [] };
}

/** Whether a result of this name declares artifacts. */
export function isArtifactResult(name: string): boolean {
  return OUTPUTS.test(name) || INPUTS.test(name);
}
