import { StepsealError } from '../base/errors.ts';
import { createPrehash } from '../keys/native.ts';
import { parseIdentityPattern } from '../spiffe/pattern.ts';
import type { ExpectedIdentity } from '../verifier/certificate.ts';
import { verifyArtifactSignature, verifyChain } from '../verifier/chain.ts';
import { digestsNeeded } from '../verifier/digestsNeeded.ts';
import { loadTrust, type TrustMaterial } from '../verifier/trust.ts';
import { defineCommand } from './command.ts';
import { readArtifact, readBundles, readInput } from './evidenceFiles.ts';
import { styles } from './style.ts';
import { verdictTree } from './verdictTree.ts';

export const command = defineCommand({
  name: 'verify',
  summary: 'check an artifact and how it came to be, offline',
  usage: 'ARTIFACT',
  positionals: { min: 1, max: 1 },
  description: [
    'ARTIFACT is a file or sha256:HEX. Every link is checked: signature, certificate, log, time, the provenance, every step',
    'claim and node evidence that it lists, and how they hang together. No socket is opened. Exit code 0: pass, 1: fail.',
  ].join('\n'),
  options: {
    bundle: { value: 'PATH', multiple: true, required: true, text: 'a bundle, a .jsonl of bundles, or a folder of them; may be repeated' },
    'trusted-root': { value: 'FILE', required: true, text: 'trusted_root.json of the trust domain' },
    identity: { value: 'PATTERN', aliases: ['certificate-identity'], text: "the artifact's signer, such as spiffe://example.org/ns/*/task/release/step/build; *, ** and {name} stand for segments" },
    'any-identity': { type: 'boolean', text: 'accept whoever signed it' },
    issuer: { value: 'URL', aliases: ['certificate-oidc-issuer'], text: 'the OIDC issuer that vouched for the signer' },
    builder: { value: 'URI', text: 'builder.id of the provenance, exactly' },
    type: { value: 'PREDICATE', text: "take an attestation of this type about the artifact in place of the artifact's own signature" },
    'signature-only': { type: 'boolean', text: 'check one signature, not how the artifact came to be' },
  },
  examples: [
    { line: "stepseal verify app.tgz --bundle stepseal-out --trusted-root stepseal-out/trusted_root.json --identity 'spiffe://example.org/ns/*/task/release/step/build'", text: 'the whole chain' },
    { line: 'stepseal verify app.tgz --bundle app.tgz.sigstore.json --trusted-root trusted_root.json --any-identity --signature-only', text: 'one signature' },
  ],
  run: async ({ values, positionals, json, io }) => {
    const identity = identityOf(values.identity, values['any-identity']);
    if (values['signature-only'] && values.builder !== undefined) throw new StepsealError('USAGE', '--builder is about provenance, which --signature-only leaves out');
    const trust = trustOf(values['trusted-root'], io.cwd);
    const files = readBundles(values.bundle, io.cwd);
    const artifact = await readArtifact(positionals[0]!, digestsNeeded(files.map(({ bytes }) => bytes)), io.cwd);
    const expectation = {
      artifact,
      identity,
      ...(values.issuer !== undefined && { issuer: values.issuer }),
      ...(values.type !== undefined && { predicateType: values.type }),
      ...(values.builder !== undefined && { builder: values.builder }),
    };
    const context = { trust, prehash: createPrehash() };
    const verdict = values['signature-only'] ? verifyArtifactSignature(files, expectation, context) : verifyChain(files, expectation, context);
    io.out(json ? `${JSON.stringify(verdict)}\n` : verdictTree(verdict, styles(io.colour)));
    return { ok: 0, fail: 1, unavailable: 3 }[verdict.status];
  },
});

function identityOf(pattern: string | undefined, any: boolean): ExpectedIdentity {
  if (pattern !== undefined && any) throw new StepsealError('USAGE', '--identity and --any-identity exclude each other');
  if (pattern !== undefined) return parseIdentityPattern(pattern);
  if (any) return 'any';
  throw new StepsealError('USAGE', 'who should have signed it?', { expected: '--identity PATTERN, or --any-identity to accept whoever did' });
}

/** What is wrong with the file is told with its name. */
function trustOf(path: string, cwd: string): TrustMaterial {
  const bytes = readInput(path, cwd);
  try {
    return loadTrust(bytes);
  } catch (cause) {
    if (!(cause instanceof StepsealError)) throw cause;
    const { code, message, expected, found } = cause;
    throw new StepsealError(code, `${path}: ${message}`, { cause, ...(expected !== undefined && { expected }), ...(found !== undefined && { found }) });
  }
}
