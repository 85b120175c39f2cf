import { readFileSync } from 'node:fs';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { runCli } from '../../src/cli/run.ts';
import { decodePem, encodePem } from '../../src/der/pem.ts';
import { parseBundle } from '../../src/envelope/bundle.ts';
import { encodeStatement, STATEMENT_TYPE } from '../../src/envelope/statement.ts';
import { fakeIo } from '../fakes/io.ts';
import { hasOpenssl, openssl, withOpenssl } from '../fakes/openssl.ts';
import { certified } from '../fakes/publicClient.ts';
import { createRun, artifact, nodeEvidence, openAttempt, type OpenedAttempt, sealAs, sealClaim, SELF, statement, STEP } from '../fakes/serverRun.ts';
import { clientKey, PERSON, serverFolder, type TestAgent, testServer, type TestServer } from '../fakes/testServer.ts';
import { lines, runPeer, runPeerBeside, scratch, without } from './run.ts';
import { type Json, tamperings } from './tampered.ts';

const TEXT = 'a release';
const STATEMENT = encodeStatement({
  _type: STATEMENT_TYPE,
  subject: [{ name: 'release.tgz', digest: { sha256: toHex(sha256(utf8(TEXT))) } }],
  predicateType: 'https://in-toto.io/attestation/test-result/v0.1',
  predicate: { result: 'PASSED' },
});
const files = scratch();
const folder = serverFolder();
const release = files.put('release.tgz', TEXT);
const other = files.put('other.tgz', 'another release');
const place = (name: string): string => files.put(name, '');
let server: TestServer;
let agent: TestAgent;
let attempt: OpenedAttempt;
let trust: string;
let config: string;
beforeAll(async () => {
  server = await testServer(folder.path);
  agent = await server.join();
  attempt = await openAttempt(agent, await createRun(server));
  const { trustedRoot, signingConfig } = await server.admin.getTrust({});
  trust = files.put('trusted_root.json', trustedRoot);
  config = files.put('signing_config.json', signingConfig);
});
afterAll(async () => {
  await server.stop();
  files.remove();
  folder.remove();
});

/** A stock cosign with a JWT-SVID of a person. */
async function cosignSigns(command: readonly string[], bundle: string, token?: string): Promise<string> {
  const args = [...command, '--yes', '--signing-config', config, '--trusted-root', trust, '--bundle', bundle];
  const { code, out, err } = await runPeerBeside('cosign', args, { SIGSTORE_ID_TOKEN: token ?? (await server.mint()) });
  return code === 0 ? 'signed' : `${out}${err}`;
}

function cosignVerifies(bundle: string, { identity = PERSON, issuer = server.issuer, type = '', file = release } = {}): string {
  const command = type === '' ? ['verify-blob'] : ['verify-blob-attestation', '--type', type];
  const args = ['--bundle', bundle, '--trusted-root', trust, '--certificate-identity', identity, '--certificate-oidc-issuer', issuer, file];
  const { code, out, err } = runPeer('cosign', [...command, ...args]);
  return code === 0 ? 'accepted' : `${out}${err}`;
}

async function weVerify(bundle: string, ...args: string[]): Promise<string> {
  const io = fakeIo();
  const code = await runCli(['verify', release, '--bundle', bundle, '--trusted-root', trust, '--issuer', server.issuer, '--signature-only', ...args], io);
  return code === 0 ? 'accepted' : `${io.stdout()}${io.stderr()}`;
}

describe.skipIf(without('cosign'))('an unmodified cosign, against our endpoints', () => {
  test('signs a blob with a JWT-SVID; cosign and we accept it, and only it', async () => {
    const bundle = place('blob.sigstore.json');
    const began = performance.now();
    expect(await cosignSigns(['sign-blob', release], bundle)).toBe('signed');
    console.log(`cosign sign-blob against our endpoints: ${Math.round(performance.now() - began)} ms wall`);
    expect(cosignVerifies(bundle)).toBe('accepted');
    expect(await weVerify(bundle, '--identity', PERSON)).toBe('accepted');
    expect(cosignVerifies(bundle, { file: other })).not.toBe('accepted');
    expect(cosignVerifies(bundle, { identity: STEP })).toContain(`got "${PERSON}"`);
    expect(cosignVerifies(bundle, { issuer: 'https://other.example' })).not.toBe('accepted');
    expect(await weVerify(bundle, '--identity', STEP)).toContain('IDENTITY_MISMATCH');
  });

  test('attests a blob with a statement v1; cosign and we accept it', async () => {
    const bundle = place('attestation.sigstore.json');
    expect(await cosignSigns(['attest-blob', '--statement', files.put('statement.json', STATEMENT)], bundle)).toBe('signed');
    const type = 'https://in-toto.io/attestation/test-result/v0.1';
    expect(cosignVerifies(bundle, { type })).toBe('accepted');
    expect(await weVerify(bundle, '--identity', PERSON, '--type', type)).toBe('accepted');
    expect(cosignVerifies(bundle, { type: 'slsaprovenance1' })).not.toBe('accepted');
    expect(cosignVerifies(bundle, { type, file: other })).not.toBe('accepted');
  });

  test('does not sign with a token for somebody else, of a step, or expired', async () => {
    const bundle = place('refused.sigstore.json');
    expect(await cosignSigns(['sign-blob', release], bundle, await server.mint({ aud: ['another'] }))).toContain('JWT_AUDIENCE');
    expect(await cosignSigns(['sign-blob', release], bundle, await server.mint({ sub: STEP }))).toContain('ROAD_NOT_ALLOWED');
    expect(await cosignSigns(['sign-blob', release], bundle, await server.mint({ iat: Date.now() - 900_000, exp: Date.now() - 600_000 }))).not.toBe('signed');
  });
});

describe('what the server seals', () => {
  let bundle: Json;
  let put: string;
  beforeAll(async () => {
    // others before it, so that its proof has hashes
    await sealAs(server, agent, attempt, artifact('earlier'));
    const [sealed] = await sealAs(server, agent, attempt, artifact(TEXT));
    bundle = JSON.parse(Buffer.from(sealed!.bundle).toString()) as Json;
    put = files.put('sealed.sigstore.json', sealed!.bundle);
  });

  test.skipIf(without('cosign'))('is accepted by cosign, and refused with any change', () => {
    expect(cosignVerifies(put, { identity: STEP })).toBe('accepted');
    expect(cosignVerifies(put, { identity: STEP, file: other })).not.toBe('accepted');
    for (const [name, changed] of tamperings(bundle)) {
      expect([name, cosignVerifies(files.put('changed.sigstore.json', JSON.stringify(changed)), { identity: STEP })]).not.toEqual([name, 'accepted']);
    }
  });

  test.skipIf(without('sgverify'))('is accepted by sigstore-go, claims and node evidence too', async () => {
    const claim = await sealClaim(server, agent, attempt);
    const [evidence] = await sealAs(server, agent, { caller: SELF, spiffeId: agent.id }, statement(nodeEvidence(attempt.evidence)));
    const cases = [[put, STEP, ['--artifact', release]], [files.put('claim.json', claim), STEP, []], [files.put('evidence.json', evidence!.bundle), agent.id, []]] as const;
    for (const [path, identity, about] of cases) {
      const [line] = lines<{ ok: boolean }>(runPeer('sgverify', ['--trusted-root', trust, '--identity', identity, '--issuer', server.issuer, ...about, path]));
      expect([path, line]).toMatchObject([path, { ok: true }]);
    }
  });

  test('is accepted by sigstore-js, which refuses another artifact', () => {
    const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(readFileSync(trust, 'utf8')))));
    const verify = (about: string) =>
      verifier.verify(toSignedEntity(bundleFromJSON(bundle), Buffer.from(about)), { subjectAlternativeName: STEP, extensions: { issuer: server.issuer } });
    expect(verify(TEXT).identity?.subjectAlternativeName).toBe(STEP);
    expect(() => verify('another')).toThrow(expect.objectContaining({ code: 'SIGNATURE_ERROR' }));
  });

  describe(withOpenssl('is understood by OpenSSL'), () => {
    test.skipIf(!hasOpenssl)('its certificate chains to the signing root, its timestamp to the TSA', async () => {
      const { certificate, timestamps, content } = parseBundle(readFileSync(put));
      const [, intermediate, root] = await certified(server);
      const tsa = decodePem(await (await server.http('/api/v1/timestamp/certchain')).text(), 'CERTIFICATE')[0]!;
      const pem = (name: string, der: Uint8Array): string => files.put(name, encodePem('CERTIFICATE', der));
      const [roots, middle] = [pem('root.pem', root!), pem('intermediate.pem', intermediate!)];
      expect(openssl('verify', '-CAfile', roots, '-untrusted', middle, '-purpose', 'any', pem('leaf.pem', certificate))).toContain('OK');
      const { signature } = content as { signature: Uint8Array };
      const verified = openssl('ts', '-verify', '-in', files.put('token.tsr', timestamps[0]!), '-digest', toHex(sha256(signature)), '-CAfile', roots, '-untrusted', pem('tsa.pem', tsa));
      expect(verified).toContain('Verification: OK');
    });

    test.skipIf(!hasOpenssl)('an SVID chains to the identity root, and a signing certificate does not', async () => {
      const { svids } = await agent.node.issueX509Svid({ caller: { who: { case: 'workload', value: { uid: 1, gid: 1, user: 'alice', path: '/bin/sh', operator: true } } }, publicKey: clientKey().spki });
      const [leaf, ca] = svids[0]!.chain;
      const pem = (name: string, der: Uint8Array): string => files.put(name, encodePem('CERTIFICATE', der));
      const args = ['-CAfile', pem('identity.pem', server.roots[0]!), '-untrusted', pem('ca.pem', ca!)];
      for (const purpose of ['sslserver', 'sslclient']) expect(openssl('verify', ...args, '-purpose', purpose, pem('svid.pem', leaf!))).toContain('OK');
      expect(() => openssl('verify', ...args, pem('signing.pem', parseBundle(readFileSync(put)).certificate))).toThrow();
    });
  });

  test.skipIf(without('certcheck'))('every certificate that the running server issues is read by Go, with nothing critical left', async () => {
    const { svids } = await agent.node.issueX509Svid({ caller: { who: { case: 'self', value: {} } }, publicKey: clientKey().spki });
    const step = await openAttempt(agent, await createRun(server));
    const { svids: stepSvids } = await agent.node.issueX509Svid({ caller: step.caller, publicKey: clientKey().spki });
    const tsa = decodePem(await (await server.http('/api/v1/timestamp/certchain')).text(), 'CERTIFICATE');
    const person = await certified(server);
    const all = { ...named('agent', svids[0]!.chain), ...named('step', stepSvids[0]!.chain), ...named('TSA', tsa), ...named('person', person), ...named('sealed', [parseBundle(readFileSync(put)).certificate]), ...named('identity root', server.roots) };
    const input = Object.values(all).map((der) => JSON.stringify({ op: 'parse', certificate: toBase64(der) })).join('\n');
    const answers = lines<{ ok: boolean; unhandledCritical: string[] }>(runPeer('certcheck', [], { input }));
    expect(answers.map(({ ok, unhandledCritical }, i) => [Object.keys(all)[i], ok, unhandledCritical])).toEqual(Object.keys(all).map((name) => [name, true, []]));
    const chains = [
      { certificate: stepSvids[0]!.chain[0]!, intermediates: [stepSvids[0]!.chain[1]!], roots: server.roots, usage: 'client' },
      { certificate: person[0]!, intermediates: [person[1]!], roots: [person[2]!], usage: 'code' },
      { certificate: tsa[0]!, intermediates: [], roots: [tsa[1]!], usage: 'time' },
    ];
    const questions = chains.map(({ certificate, intermediates, roots, usage }) => JSON.stringify({ op: 'chain', usage, certificate: toBase64(certificate), intermediates: intermediates.map(toBase64), roots: roots.map(toBase64) }));
    expect(lines<{ ok: boolean }>(runPeer('certcheck', [], { input: questions.join('\n') })).map(({ ok }) => ok)).toEqual([true, true, true]);
  });
});

function named(name: string, ders: readonly Uint8Array[]): Record<string, Uint8Array> {
  return Object.fromEntries(ders.map((der, i) => [`${name} ${i}`, der]));
}
