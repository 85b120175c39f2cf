import { isStepsealError, type Kind, StepsealError } from '../base/errors.ts';
import { parseBundle } from '../envelope/bundle.ts';
import type { AttemptPayloads } from '../provenance/attempt.ts';
import { type CheckedRun, crossCheck } from '../provenance/crossCheck.ts';
import type { Dependency } from '../provenance/facts.ts';
import { parseRunnerView } from '../provenance/run.ts';
import { encodeProvenance } from '../provenance/slsa.ts';
import type { Outgoing } from '../rpc/definition.ts';
import type { FinishRunRequest, FinishRunResponseSchema } from '../rpc/gen/stepseal/admin_pb.js';
import { seal } from '../signer/seal.ts';
import { parseIdentityPattern } from '../spiffe/pattern.ts';
import { type Attempt, attemptsOfRun } from '../store/attempts.ts';
import { finishRun as keepFinished, readRun } from '../store/runs.ts';
import { verifyBundle } from '../verifier/bundle.ts';
import { firstFault } from '../verifier/verdict.ts';
import type { Core } from './core.ts';
import { renderAgain } from './renderAgain.ts';
import { type KnownRun, knownRun } from './runs.ts';
import { sealAll } from './sealing.ts';

/** Kinds of failure that say nothing about the run. */
const PASSING: readonly Kind[] = ['unavailable', 'limit', 'internal'];

/** Runs that are being finished, by UID: two calls at once must not sign two provenances. */
const finishing = new WeakMap<Core, Set<string>>();

/**
 * Ends a run: cross-checks what runner, agents and steps say with what the server knows, then signs the provenance as
 * itself. A disagreement ends the run without provenance, for good; what is unavailable may be tried again. Attempts that
 * are still open are lost.
 * Throws RUN_UNKNOWN, RUN_FINISHED, VIEW_INVALID, what crossCheck throws and what sealing throws.
 */
export async function finishRun(core: Core, request: FinishRunRequest): Promise<Outgoing<typeof FinishRunResponseSchema>> {
  const busy = finishing.get(core) ?? new Set();
  finishing.set(core, busy);
  if (busy.has(request.runUid)) throw new StepsealError('RUN_FINISHED', `run ${request.runUid} is being finished`);
  busy.add(request.runUid);
  try {
    return await finish(core, request);
  } finally {
    busy.delete(request.runUid);
  }
}

async function finish(core: Core, request: FinishRunRequest): Promise<Outgoing<typeof FinishRunResponseSchema>> {
  const started = performance.now();
  const row = readRun(core.db, request.runUid);
  const run = knownRun(core, row);
  if (run.finished) throw new StepsealError('RUN_FINISHED', `run ${request.runUid} is finished`);
  const view = new TextDecoder().decode(request.view);
  const end = (provenance: Uint8Array | undefined): void => keepFinished(core.db, { uid: row.uid, now: core.clock.now(), view, provenance });
  let provenance: Uint8Array;
  try {
    provenance = await provenanceOf(core, checkRun(core, run, request.view));
  } catch (error) {
    if (isStepsealError(error) && !PASSING.includes(error.kind)) {
      core.log.warn({ run: row.uid, code: error.code, expected: error.expected, found: error.found }, 'provenance refused');
      end(undefined);
    }
    throw error;
  }
  end(provenance);
  const elapsed = performance.now() - started;
  core.log.info({ run: row.uid, ms: Math.round(elapsed) }, 'provenance signed');
  return { provenanceBundle: provenance, elapsedUs: BigInt(Math.round(elapsed * 1000)) };
}

function checkRun(core: Core, { kept, facts }: KnownRun, viewBytes: Uint8Array): CheckedRun {
  const view = parseRunnerView(viewBytes);
  const attempts = attemptsOfRun(core.db, facts.runUid).map((attempt) => payloadsOf(core, attempt));
  const checked = crossCheck({ facts, view, attempts, rendered: renderAgain(kept.plan, facts.runUid, view) });
  const dependencies = [...facts.dependencies, ...sourcesOf(checked)];
  return { ...checked, facts: { ...facts, dependencies } };
}

/** What an attempt left, its two signatures checked: the agent hands bundles in, and only what they hold counts. */
function payloadsOf(core: Core, attempt: Attempt): AttemptPayloads {
  const { claimBundle, evidenceBundle } = attempt;
  if (attempt.reason !== 'ended' || claimBundle === undefined || evidenceBundle === undefined) {
    throw new StepsealError('STEP_MISSING', `an attempt of step ${attempt.step} ended without its claim and evidence`, {
      expected: 'ended, with both', found: attempt.reason ?? 'still open',
    });
  }
  return { claim: checkedPayload(core, claimBundle, attempt.spiffeId), evidence: checkedPayload(core, evidenceBundle, attempt.agentId) };
}

function checkedPayload(core: Core, bundle: Uint8Array, signer: string): Uint8Array {
  const verdict = verifyBundle(bundle, { identity: parseIdentityPattern(signer), issuer: core.issuer }, { trust: core.trust(), prehash: core.prehash });
  if (verdict.status !== 'ok') {
    const { code = 'SIG_INVALID', link, message, expected, found } = firstFault([verdict]);
    throw new StepsealError(code, `a bundle that the agent handed in as ${signer} does not hold: ${link}: ${message}`, {
      ...(expected !== undefined && { expected }), ...(found !== undefined && { found }),
    });
  }
  const { content } = parseBundle(bundle);
  if (content.kind !== 'dsse') throw new StepsealError('TYPE_MISMATCH', 'a claim is a statement', { expected: 'dsse', found: content.kind });
  return content.payload;
}

/** Tekton's type hints of the source (facts: tekton.md 2.4): the tenant says so, and it is marked as the tenant's word. */
function sourcesOf({ attempts }: CheckedRun): Dependency[] {
  const hints = new Map<string, string>();
  for (const { claim } of attempts) for (const { name, value } of claim.results) if (value !== undefined) hints.set(name, value.trim());
  const commit = hints.get('CHAINS-GIT_COMMIT');
  const url = hints.get('CHAINS-GIT_URL');
  if (commit === undefined || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit)) return [];
  const uri = url === undefined || url === '' ? '' : `git+${url.replace(/^git\+/, '')}`;
  return [{ name: 'source', uri, digest: { gitCommit: commit }, source: 'tenant' }];
}

async function provenanceOf(core: Core, run: CheckedRun): Promise<Uint8Array> {
  const payload = encodeProvenance(run, core.version);
  const [identity] = core.registry.identify({ kind: 'role', role: 'provenance' });
  const spiffeId = identity!.id.uri;
  core.registry.authorizeSigning({ spiffeId, road: 'seal' });
  const [sealed] = await seal(
    { caller: { who: { case: 'self', value: {} } }, spiffeId, contents: [{ kind: 'statement', name: 'provenance', payload }] },
    {
      clock: core.clock,
      rng: core.rng,
      prehash: core.prehash,
      submit: (request) => sealAll(request, { spiffeId, attempt: 'self', role: 'provenance' }, core.sealing),
    },
  );
  return sealed!.bundle;
}
