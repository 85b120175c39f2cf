import { readFileSync } from 'node:fs';
import { fromHex } from '../base/hex.ts';
import type { Prehash } from '../base/ports.ts';
import { parseBundle } from '../envelope/bundle.ts';
import { parseProvenance } from '../provenance/slsaRead.ts';
import { provenanceIdentity, SLSA_PROVENANCE } from '../provenance/uris.ts';
import type { GetTrustResponse } from '../rpc/gen/stepseal/admin_pb.js';
import type { RunResult } from '../runner/run.ts';
import { parseIdentityPattern } from '../spiffe/pattern.ts';
import { type Context, verifyBundle } from '../verifier/bundle.ts';
import { verifyChain } from '../verifier/chain.ts';
import type { NamedBytes } from '../verifier/evidenceSet.ts';
import { loadTrust } from '../verifier/trust.ts';
import type { Verdict } from '../verifier/verdict.ts';
import type { Collected } from './startCollect.ts';
import type { OutFolder } from './startOut.ts';
import type { Parts } from './startParts.ts';
import { provenanceLines } from './startPrint.ts';
import { styles } from './style.ts';

const PROVENANCE = 'provenance.sigstore.json';

interface Attestation {
  readonly path: string;
  readonly predicateType: string;
  readonly identity: string;
}

/** summary.json; paths are relative to its folder (docs/formats.md). */
export interface Summary {
  readonly issuer: string;
  readonly trustedRoot: string;
  readonly signingConfig: string;
  readonly endpoints: { readonly http: string; readonly grpc: string; readonly adminSocket: string; readonly workloadSocket: string; readonly sealSocket: string };
  readonly run: { readonly uid: string; readonly outcome: string; readonly refused?: { readonly code: string; readonly message: string } };
  readonly artifacts: readonly {
    readonly path?: string; readonly name: string; readonly sha256: string;
    readonly bundle: { readonly path: string; readonly identity: string };
    readonly attestations: readonly Attestation[];
  }[];
}

export interface Finished {
  readonly document: Summary;
  readonly verdicts: readonly Verdict[];
  readonly provenanceText: (colour: boolean) => string;
}

/** Writes trust material, provenance and summary beside the artifacts, and verifies every artifact from exactly these files. */
export function writeSummary(out: OutFolder, run: {
  readonly result: RunResult; readonly collected: Collected; readonly parts: Parts; readonly trust: GetTrustResponse; readonly prehash: Prehash;
}): Finished {
  const { result, collected, parts, trust, prehash } = run;
  const { server, agent } = parts;
  out.write('trusted_root.json', trust.trustedRoot);
  out.write('signing_config.json', trust.signingConfig);
  const signer = provenanceIdentity(server.trustDomain);
  if (result.provenance) out.write(PROVENANCE, result.provenance);
  const attestations = collected.attestations.map((attestation) => ({ ...attestation, identity: attestation.identity === 'agent' ? agent.id : attestation.identity }));
  const document: Summary = {
    issuer: server.issuer,
    trustedRoot: 'trusted_root.json',
    signingConfig: 'signing_config.json',
    endpoints: { http: server.httpUrl, grpc: server.grpcAddress, adminSocket: server.adminSocket, workloadSocket: agent.workloadSocket, sealSocket: agent.sealSocket },
    run: { uid: result.runUid, outcome: result.outcome, ...(result.refused && { refused: result.refused }) },
    artifacts: collected.artifacts.map(({ path, name, sha256, bundle }) => ({
      ...(path !== undefined && { path }), name, sha256, bundle,
      attestations: [
        ...(result.provenance ? [{ path: PROVENANCE, predicateType: SLSA_PROVENANCE, identity: signer }] : []),
        ...attestations.filter(({ sha256s }) => sha256s.includes(sha256)).map(({ path: file, predicateType, identity }) => ({ path: file, predicateType, identity })),
      ],
    })),
  };
  out.write('summary.json', `${JSON.stringify(document, null, 2)}\n`);
  const names = [...(result.provenance ? [PROVENANCE] : []), ...collected.artifacts.map(({ bundle }) => bundle.path), ...attestations.map(({ path }) => path)];
  const files = names.map((name) => ({ name, bytes: readFileSync(out.path(name)) }));
  const verdicts = verify(document, files, { trust: loadTrust(trust.trustedRoot), prehash }, signer);
  return { document, verdicts, provenanceText: (colour) => (result.provenance ? describe(result.provenance, result.provenanceUs, colour) : '') };
}

/** The whole chain of each artifact; of a run that left none, what there is: the signature of its provenance. */
function verify({ issuer, artifacts }: Summary, files: readonly NamedBytes[], context: Context, signer: string): Verdict[] {
  const provenance = files.find(({ name }) => name === PROVENANCE);
  if (provenance === undefined) return [];
  if (artifacts.length === 0) {
    return [verifyBundle(provenance.bytes, { identity: parseIdentityPattern(signer), issuer, predicateType: SLSA_PROVENANCE }, context, PROVENANCE)];
  }
  return artifacts.map(({ sha256, bundle }) => verifyChain(files, { artifact: { sha256: fromHex(sha256, 32) }, identity: parseIdentityPattern(bundle.identity), issuer }, context));
}

function describe(bundle: Uint8Array, us: number, colour: boolean): string {
  const { content } = parseBundle(bundle);
  if (content.kind !== 'dsse') return '';
  const { statement, builderId, invocationId, byproducts, dependencies } = parseProvenance(content.payload);
  return provenanceLines(statement, { builderId, invocationId, byproducts: byproducts.length, dependencies, ms: us / 1000 }, colour);
}

/** What a user does next: the two commands that check the result, and with `--keep` how to sign. */
export function nextSteps(summary: Summary, { out, kept, ok, colour }: { readonly out: string; readonly kept: readonly number[]; readonly ok: boolean; readonly colour: boolean }): string {
  const { bold, dim } = styles(colour);
  const title = (name: string, rest: string): string => `\n${bold(name)} ${dim(rest)}`;
  const lines = ok ? checkCommands(summary, out, title) : [`\n${dim(`what there is lies in ${out}`)}`];
  if (kept.length > 0) {
    lines.push(
      title('Sign something:', `server and agent keep running, \`kill ${kept.join(' ')}\` stops them`),
      '  SIGSTORE_ID_TOKEN=$(./stepseal token --audience sigstore) cosign sign-blob FILE --bundle FILE.sigstore.json \\',
      `    --signing-config ${out}/signing_config.json --trusted-root ${out}/trusted_root.json`,
      '  ./stepseal seal FILE',
    );
  }
  return `${lines.join('\n')}\n`;
}

function checkCommands({ artifacts, issuer }: Summary, out: string, title: (title: string, rest: string) => string): string[] {
  const first = artifacts.find(({ path }) => path !== undefined) ?? artifacts[0];
  const provenance = first?.attestations.find(({ predicateType }) => predicateType === SLSA_PROVENANCE);
  if (first === undefined || provenance === undefined) return [title('No artifacts:', `the run left none; its provenance is ${out}/${PROVENANCE}`)];
  const artifact = first.path === undefined ? `sha256:${first.sha256}` : `${out}/${first.path}`;
  return [
    title('Check it:', `offline, with what lies in ${out}`),
    `  ./stepseal verify ${artifact} --bundle ${out} --trusted-root ${out}/trusted_root.json \\`,
    `    --identity ${first.bundle.identity}`,
    `  cosign verify-blob-attestation ${artifact} --bundle ${out}/${provenance.path} \\`,
    `    --trusted-root ${out}/trusted_root.json --type slsaprovenance1 \\`,
    `    --certificate-identity ${provenance.identity} --certificate-oidc-issuer ${issuer}`,
  ];
}
