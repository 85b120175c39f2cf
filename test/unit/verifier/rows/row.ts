import { sha256 } from '../../../../src/base/bytes.ts';
import type { Code } from '../../../../src/base/errors.ts';
import { parseJson } from '../../../../src/base/json.ts';
import { createPrehash } from '../../../../src/keys/native.ts';
import { encodeTrustedRoot, type TrustedRoot } from '../../../../src/envelope/trustedRoot.ts';
import { parseIdentityPattern } from '../../../../src/spiffe/pattern.ts';
import { type Context, type Expectation, verifyBundle } from '../../../../src/verifier/bundle.ts';
import { type ChainExpectation, verifyChain } from '../../../../src/verifier/chain.ts';
import type { NamedBytes } from '../../../../src/verifier/evidenceSet.ts';
import { loadTrust } from '../../../../src/verifier/trust.ts';
import type { Link, Verdict } from '../../../../src/verifier/verdict.ts';
import { type Content, createUniverse, seal, type SealKnobs, type Universe } from '../../../fakes/universe.ts';
import { type MadeRun, makeRun, type RunKnobs } from '../../../fakes/universeRun.ts';

/** One attack: the verdict it gets, and which link must say why. `ok`: the attack is none, and must pass. */
export interface TamperRow {
  /** class of the tamper corpus, or `X` for what only we check */
  readonly id: string;
  readonly name: string;
  readonly attack: (universe: Universe) => Promise<Verdict>;
  readonly code: Code | 'ok';
  readonly link: Link;
}

export const BUILD = 'spiffe://example.org/ns/local/task/release/step/build';
export const SBOM = 'spiffe://example.org/ns/local/task/release/step/sbom';
export const ARTIFACT = Buffer.from('an artifact');

const PREHASH = createPrehash();

export function contextOf(universe: Universe, change: (root: TrustedRoot) => TrustedRoot = (root) => root): Context {
  return { trust: loadTrust(encodeTrustedRoot(change(universe.trustedRoot))), prehash: PREHASH };
}

export interface BundleAttack {
  readonly content?: Content;
  readonly seal?: Partial<SealKnobs>;
  readonly trust?: (root: TrustedRoot) => TrustedRoot;
  readonly expect?: Partial<Expectation>;
  readonly context?: Partial<Context>;
  /** the bundle's JSON, after everything */
  readonly json?: (bundle: any) => unknown;
  readonly bytes?: (bundle: Uint8Array) => Uint8Array;
}

/** Signature verdict on one bundle that was tampered with in one way. */
export async function bundleVerdict(universe: Universe, attack: BundleAttack): Promise<Verdict> {
  const content = attack.content ?? { artifact: ARTIFACT };
  let bytes = await seal(universe, content, { identity: BUILD, ...attack.seal });
  if (attack.json) {
    const json = parseJson(bytes);
    bytes = Buffer.from(JSON.stringify(attack.json(json) ?? json));
  }
  if (attack.bytes) bytes = attack.bytes(bytes);
  const artifact = 'artifact' in content ? { artifact: { sha256: sha256(content.artifact) } } : {};
  return verifyBundle(bytes, { identity: parseIdentityPattern(BUILD), issuer: universe.issuer, ...artifact, ...attack.expect }, { ...contextOf(universe, attack.trust), ...attack.context });
}

/** Chain verdict on a run that was tampered with by knobs; `files` has the last word on what is provided. */
export async function runVerdict(
  universe: Universe,
  knobs: RunKnobs,
  files: (files: readonly NamedBytes[], run: MadeRun) => readonly NamedBytes[] | Promise<readonly NamedBytes[]> = (all) => all,
  expect: Partial<ChainExpectation> = {},
): Promise<Verdict> {
  const run = await makeRun(universe, knobs);
  const expectation = { artifact: { sha256: sha256(run.artifact) }, identity: parseIdentityPattern(run.identity), ...expect };
  return verifyChain(await files(run.files, run), expectation, contextOf(universe));
}

export function flatten(verdict: Verdict): Verdict[] {
  return [verdict, ...verdict.children.flatMap(flatten)];
}

export { createUniverse };
