import { clone } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { toHex } from '../../src/base/hex.ts';
import { parseBundle } from '../../src/envelope/bundle.ts';
import { encodeStatement, STATEMENT_TYPE } from '../../src/envelope/statement.ts';
import { systemRng } from '../../src/keys/system.ts';
import { encodeClaim, stepClaim } from '../../src/provenance/claim.ts';
import { evidenceSha256 } from '../../src/provenance/evidence.ts';
import { Admin } from '../../src/rpc/gen/stepseal/admin_pb.js';
import { type SealRequest, SealRequestSchema } from '../../src/rpc/gen/stepseal/node_pb.js';
import { possessionMessage } from '../../src/signer/possession.ts';
import { decodeJwtSvid } from '../../src/spiffe/jwtValidate.ts';
import { parseIdentityPattern } from '../../src/spiffe/pattern.ts';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { type Certificate, parseCertificate } from '../../src/x509/certificate.ts';
import { certificateEvidence } from '../../src/x509/evidence.ts';
import { fulcioValue } from '../../src/x509/fulcio.ts';
import { lintCertificate } from '../../src/x509/lint.ts';
import { type ClientKey, clientKey, codeOf, PERSON, serverFolder, type TestAgent, testServer, type TestServer } from '../fakes/testServer.ts';
import { artifact, createRun, nodeEvidence, NOTHING, observed, openAttempt, type OpenedAttempt, sealAs, sealClaim, SELF, statement, STEP } from '../fakes/serverRun.ts';

const folder = serverFolder();
let server: TestServer;
let agent: TestAgent;
let other: TestAgent;
beforeAll(async () => {
  server = await testServer(folder.path);
  [agent, other] = [await server.join(), await server.join()];
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

const freshAttempt = async (): Promise<OpenedAttempt> => openAttempt(agent, await createRun(server));
const verdictOf = (bundle: Uint8Array, signer: string, text?: string) =>
  verifyBundle(bundle, { identity: parseIdentityPattern(signer), issuer: server.issuer, ...(text !== undefined && { artifact: { sha256: sha256(utf8(text)) } }) }, server);
const withKey = (change: (request: SealRequest) => void) => (request: SealRequest): SealRequest => {
  const copy = clone(SealRequestSchema, request);
  change(copy);
  return copy;
};
const evidenceIn = (leaf: Certificate): unknown[] => {
  const { custody, attempt, digest } = certificateEvidence(leaf)!;
  return [custody, attempt, toHex(digest!)];
};
const someStatement = (predicateType: string): Uint8Array =>
  encodeStatement({ _type: STATEMENT_TYPE, subject: [{ name: 'a', digest: { sha256: toHex(sha256(utf8('a'))) } }], predicateType, predicate: {} });

describe('a step attempt', () => {
  test('opens with an identity from the Task that the server read, and evidence that names agent and run', async () => {
    const run = await createRun(server);
    const { evidence, spiffeId } = await openAttempt(agent, run);
    expect(spiffeId).toBe(STEP);
    expect(evidence).toMatchObject({ identity: STEP, runUid: run.runUid, taskRunUid: run.taskRunUid, step: 'build', agent: agent.id, attemptNumber: 0 });
  });

  test('seals artifacts that verify, under a certificate that carries what the server knows', async () => {
    const { caller, spiffeId, evidence, id } = await freshAttempt();
    const sealed = await sealAs(server, agent, { caller, spiffeId }, artifact('one'), artifact('two'));
    expect(sealed.map(({ bundle, name }) => [name, verdictOf(bundle, STEP, name).status])).toEqual([['one', 'ok'], ['two', 'ok']]);
    const leaf = parseCertificate(parseBundle(sealed[0]!.bundle).certificate);
    expect(evidenceIn(leaf)).toEqual(['seal', id, evidenceSha256(evidence)]);
    expect([1, 8, 10, 11, 21, 24].map((number) => fulcioValue(leaf, number))).toEqual([
      'https://example.org', 'https://example.org', `sha256:${evidence.taskDigest}`, 'local', `https://example.org/stepseal/taskruns/${evidence.taskRunUid}`, STEP,
    ]);
  });

  test('has SVIDs of five minutes that name it', async () => {
    const { caller, id, evidence } = await freshAttempt();
    const { svids } = await agent.node.issueX509Svid({ caller, publicKey: clientKey().spki });
    const leaf = parseCertificate(svids[0]!.chain[0]!);
    expect(leaf.notAfter - leaf.notBefore).toBeLessThanOrEqual(310_000);
    expect(evidenceIn(leaf)).toEqual(['in-step', id, evidenceSha256(evidence)]);
    lintCertificate(leaf, 'svid');
    const { svids: tokens } = await agent.node.issueJwtSvid({ caller, audience: ['a', 'b'] });
    const { claims } = decodeJwtSvid(tokens[0]!.token);
    expect(claims).toMatchObject({ sub: STEP, aud: ['a', 'b'], iss: 'https://example.org', stepseal_attempt: id });
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(300);
  });

  test.each([
    ['a TaskRun that is none', { taskRunUid: 'no-such' }, 'RUN_UNKNOWN'],
    ['a step that the Task does not have', { step: 'deploy' }, 'STEP_UNEXPECTED'],
    ['evidence that is none', { observed: utf8('{}') }, 'EVIDENCE_INVALID'],
    ['another isolation than the run was created with', { observed: observed({ isolation: 'unisolated' }) }, 'PROVENANCE_DISAGREEMENT'],
    ['a number that no evidence can carry', { attempt: 1001 }, 'EVIDENCE_INVALID'],
  ])('does not open for %s', async (_, change, code) => {
    const { taskRunUid } = await createRun(server);
    expect(await codeOf(agent.node.openAttempt({ taskRunUid, step: 'build', attempt: 0, observed: observed(), ...change }))).toBe(code);
  });

  test('opens once, and its TaskRun for one agent', async () => {
    const run = await createRun(server);
    await openAttempt(agent, run);
    expect(await codeOf(openAttempt(agent, run))).toBe('ATTEMPT_EXISTS');
    for (const step of ['build', 'test']) expect(await codeOf(openAttempt(other, run, step))).toBe('TASKRUN_FOREIGN');
    await openAttempt(agent, run, 'test');
  });

  test('ends: its claim, then its node evidence, then every road is closed', async () => {
    const attempt = await freshAttempt();
    const { caller, spiffeId, evidence, id } = attempt;
    const claim = await sealClaim(server, agent, attempt);
    expect(verdictOf(claim, STEP).status).toBe('ok');
    const calls = (): Promise<string>[] => [
      codeOf(sealAs(server, agent, { caller, spiffeId }, artifact('late'))),
      codeOf(agent.node.issueX509Svid({ caller, publicKey: clientKey().spki })),
      codeOf(agent.node.issueJwtSvid({ caller, audience: ['a'] })),
      codeOf(agent.node.identify(caller)),
    ];
    expect(await Promise.all(calls())).toEqual(Array(4).fill('ATTEMPT_ENDED'));
    const [node] = await sealAs(server, agent, { caller: SELF, spiffeId: agent.id }, statement(nodeEvidence(evidence)));
    expect(verdictOf(node!.bundle, agent.id).status).toBe('ok');
    await agent.node.closeAttempt({ attemptId: id, reason: 'ended', claimBundle: claim, evidenceBundle: node!.bundle });
    expect(await Promise.all(calls())).toEqual(Array(4).fill('ATTEMPT_ENDED'));
    expect(await codeOf(agent.node.closeAttempt({ attemptId: id, reason: 'ended' }))).toBe('ATTEMPT_ENDED');
    expect(await codeOf(sealAs(server, agent, { caller: SELF, spiffeId: agent.id }, statement(nodeEvidence(evidence))))).toBe('ATTEMPT_ENDED');
  });

  test('ends without a claim as lost, and for no other reason than these two', async () => {
    const { id, caller, spiffeId } = await freshAttempt();
    expect(await codeOf(agent.node.closeAttempt({ attemptId: id, reason: 'whatever' }))).toBe('RUN_INVALID');
    await agent.node.closeAttempt({ attemptId: id, reason: 'lost' });
    expect(await codeOf(sealAs(server, agent, { caller, spiffeId }, artifact('late')))).toBe('ATTEMPT_ENDED');
  });

  test('makes one final claim, also of two that come at once', async () => {
    const attempt = await freshAttempt();
    await sealClaim(server, agent, attempt);
    expect(await codeOf(sealClaim(server, agent, attempt))).toBe('CLAIM_EQUIVOCATION');
    const racing = await freshAttempt();
    const codes = await Promise.all([codeOf(sealClaim(server, agent, racing)), codeOf(sealClaim(server, agent, racing))]);
    expect(codes.toSorted()).toEqual(['CLAIM_EQUIVOCATION', 'nothing was thrown']);
  });
});

describe('a Seal is refused', () => {
  const cases: readonly (readonly [name: string, change: (request: SealRequest) => void, code: string])[] = [
    ['possession by another key', (request) => void (request.possession = clientKey().sign(utf8('x'))), 'POSSESSION_INVALID'],
    ['possession for another request', (request) => void (request.requestId = '0'.repeat(32)), 'POSSESSION_INVALID'],
    ['possession for another time', (request) => void (request.timeMs += 1n), 'POSSESSION_INVALID'],
    ['possession for another digest', (request) => void (request.items[0]!.what.value = sha256(utf8('another'))), 'POSSESSION_INVALID'],
    ['an item more than was proven', (request) => void request.items.push(request.items[0]!), 'POSSESSION_INVALID'],
    ['another key', (request) => void (request.publicKey = clientKey().spki), 'POSSESSION_INVALID'],
    ['a key of another kind', (request) => void (request.publicKey = clientKey('P-384').spki), 'SEAL_INVALID'],
    ['a key that is none', (request) => void (request.publicKey = Uint8Array.of(1, 2, 3)), 'DER_INVALID'],
    ['a signature over something else', (request) => void (request.items[0]!.signature = request.possession), 'SIG_INVALID'],
    ['a signature that is none', (request) => void (request.items[0]!.signature = new Uint8Array(70)), 'SIG_INVALID'],
    ['no items', (request) => void (request.items = []), 'SEAL_INVALID'],
    ['more than 10,000 items', (request) => void (request.items = Array(10_001).fill(request.items[0]!)), 'SEAL_INVALID'],
    ['an empty item', (request) => void (request.items[0]!.what = { case: undefined }), 'SEAL_INVALID'],
    ['a digest of another length', (request) => void (request.items[0]!.what.value = new Uint8Array(20)), 'SEAL_INVALID'],
    ['a request id of another form', (request) => void (request.requestId = 'x'), 'SEAL_INVALID'],
    ['a time six minutes ago', (request) => void (request.timeMs -= 360_000n), 'SEAL_INVALID'],
    ['a time in six minutes', (request) => void (request.timeMs += 360_000n), 'SEAL_INVALID'],
    ['no caller', (request) => void delete request.caller, 'IDENTITY_NONE'],
    ['an identity that is not the caller\'s', (request) => void (request.spiffeId = 'spiffe://example.org/ns/local/task/release/step/test'), 'IDENTITY_NONE'],
    ['`final` without a claim', (request) => void (request.final = true), 'SEAL_INVALID'],
  ];
  test.each(cases)('%s', async (_, change, code) => {
    const { caller, spiffeId } = await freshAttempt();
    const before = await server.admin.getStatus({});
    expect(await codeOf(sealAs(server, agent, { caller, spiffeId, change: withKey(change) }, artifact('a')))).toBe(code);
    // nothing is certified, nothing is logged
    expect(await server.admin.getStatus({})).toMatchObject({ logSize: before.logSize, ctSize: before.ctSize });
  });

  test.each(['https://slsa.dev/provenance/v1', 'https://slsa.dev/provenance/v0.2', 'https://slsa.dev/verification_summary/v1', 'https://stepseal.dev/step/v1', 'https://stepseal.dev/node-evidence/v1', 'https://stepseal.dev/other'])(
    'a step\'s statement of the reserved type %s', async (type) => {
      const { caller, spiffeId } = await freshAttempt();
      expect(await codeOf(sealAs(server, agent, { caller, spiffeId }, statement(someStatement(type))))).toBe('PREDICATE_RESERVED');
    });

  test('sent twice: each Seal has a key of its own', async () => {
    const { caller, spiffeId } = await freshAttempt();
    let sent: SealRequest | undefined;
    await sealAs(server, agent, { caller, spiffeId, change: (request) => (sent = request) }, artifact('a'));
    expect(await codeOf(agent.node.seal(sent!))).toBe('KEY_ALREADY_CERTIFIED');
  });

  test('with the key of another attempt', async () => {
    const [first, second] = [await freshAttempt(), await freshAttempt()];
    const key = clientKey();
    expect(await codeOf(sealByHand(first, key))).toBe('nothing was thrown');
    expect(await codeOf(sealByHand(second, key))).toBe('KEY_ALREADY_CERTIFIED');
    expect(await codeOf(sealByHand({ caller: { who: { case: 'workload', value: ALICE } }, spiffeId: PERSON, attempt: 'workload' }, key))).toBe('KEY_ALREADY_CERTIFIED');
  });

  test('a final Seal with two claims, or with the claim of another attempt', async () => {
    const [attempt, another] = [await freshAttempt(), await freshAttempt()];
    const { caller, spiffeId, evidence } = attempt;
    const own = encodeClaim(stepClaim(evidence, NOTHING));
    expect(await codeOf(sealAs(server, agent, { caller, spiffeId, final: true }, statement(own), statement(own)))).toBe('SEAL_INVALID');
    const theirs = encodeClaim(stepClaim(another.evidence, NOTHING));
    expect(await codeOf(sealAs(server, agent, { caller, spiffeId, final: true }, statement(theirs)))).toBe('ATTEMPT_MISMATCH');
    const changed = encodeClaim(stepClaim({ ...evidence, taskDigest: '0'.repeat(64) }, NOTHING));
    expect(await codeOf(sealAs(server, agent, { caller, spiffeId, final: true }, statement(changed)))).toBe('ATTEMPT_MISMATCH');
    // none of them took the one claim
    await sealClaim(server, agent, attempt);
  });

  test('a final Seal of no attempt', async () => {
    const { evidence } = await freshAttempt();
    const claim = statement(encodeClaim(stepClaim(evidence, NOTHING)));
    expect(await codeOf(sealAs(server, agent, { caller: SELF, spiffeId: agent.id, final: true }, claim))).toBe('SEAL_INVALID');
    expect(await codeOf(sealAs(server, agent, { caller: { who: { case: 'workload', value: ALICE } }, spiffeId: PERSON, final: true }, claim))).toBe('SEAL_INVALID');
  });
});

const ALICE = { uid: 1000, gid: 1000, user: 'alice', path: '/bin/sh', operator: true };

/** A Seal with a key of one's choice, which signer/seal.ts never does. */
async function sealByHand({ caller, spiffeId, attempt }: Pick<OpenedAttempt, 'caller' | 'spiffeId'> & { attempt?: string }, key: ClientKey): Promise<unknown> {
  const digest = sha256(utf8('by hand'));
  const requestId = toHex(systemRng.bytes(16));
  const time = server.clock.now();
  const who = attempt ?? (caller.who as { value: string }).value;
  return agent.node.seal({
    caller, spiffeId, requestId, timeMs: BigInt(time), publicKey: key.spki,
    possession: key.sign(possessionMessage({ spiffeId, attempt: who, requestId, time, publicKey: key.spki, digests: [digest] })),
    items: [{ what: { case: 'artifact', value: digest }, signature: key.sign(utf8('by hand')) }],
  });
}

// DESIGN §2: it can forge claims and evidence of steps on its node; this is the rest
describe('a compromised agent cannot', () => {
  test("touch another agent's attempt", async () => {
    const { caller, spiffeId, id, evidence } = await freshAttempt();
    expect(await codeOf(sealAs(server, other, { caller, spiffeId }, artifact('a')))).toBe('ATTEMPT_UNKNOWN');
    expect(await codeOf(sealAs(server, other, { caller, spiffeId, final: true }, statement(encodeClaim(stepClaim(evidence, NOTHING)))))).toBe('ATTEMPT_UNKNOWN');
    expect(await codeOf(other.node.closeAttempt({ attemptId: id, reason: 'ended' }))).toBe('ATTEMPT_UNKNOWN');
    expect(await codeOf(other.node.identify(caller))).toBe('ATTEMPT_UNKNOWN');
    expect(await codeOf(other.node.issueX509Svid({ caller, publicKey: clientKey().spki }))).toBe('ATTEMPT_UNKNOWN');
    expect(await codeOf(other.node.issueJwtSvid({ caller, audience: ['sigstore'] }))).toBe('ATTEMPT_UNKNOWN');
  });

  test("give node evidence for another agent's attempt, for one that never was, or with other facts", async () => {
    const { evidence } = await freshAttempt();
    const give = (by: TestAgent, payload: Uint8Array): Promise<string> => codeOf(sealAs(server, by, { caller: SELF, spiffeId: by.id }, statement(payload)));
    expect(await give(other, nodeEvidence(evidence))).toBe('IDENTITY_MISMATCH');
    expect(await give(other, nodeEvidence({ ...evidence, agent: other.id }))).toBe('ATTEMPT_UNKNOWN');
    expect(await give(agent, nodeEvidence({ ...evidence, attempt: '00000000-0000-4000-8000-000000000000' }))).toBe('ATTEMPT_UNKNOWN');
    expect(await give(agent, nodeEvidence({ ...evidence, taskDigest: '0'.repeat(64) }))).toBe('ATTEMPT_MISMATCH');
  });

  test('sign as provenance, as the server, as another agent or as a step without an attempt', async () => {
    for (const spiffeId of ['spiffe://example.org/stepseal/provenance', 'spiffe://example.org/spire/server', other.id, STEP, PERSON]) {
      expect(await codeOf(sealAs(server, agent, { caller: SELF, spiffeId }, artifact('a')))).toBe('IDENTITY_NONE');
      expect(await codeOf(agent.node.issueJwtSvid({ caller: SELF, audience: ['sigstore'], spiffeId }))).toBe('IDENTITY_NONE');
    }
    const { caller, spiffeId } = await freshAttempt();
    expect(await codeOf(sealAs(server, agent, { caller, spiffeId: 'spiffe://example.org/stepseal/provenance' }, artifact('a')))).toBe('IDENTITY_NONE');
    expect(await codeOf(sealAs(server, agent, { caller, spiffeId }, statement(someStatement('https://slsa.dev/provenance/v1'))))).toBe('PREDICATE_RESERVED');
    expect(await codeOf(sealAs(server, agent, { caller: SELF, spiffeId: agent.id }, statement(someStatement('https://slsa.dev/provenance/v1'))))).toBe('PREDICATE_RESERVED');
  });

  test('invent a step, a run, or a reserved name by way of a user', async () => {
    const { taskRunUid } = await createRun(server);
    expect(await codeOf(agent.node.openAttempt({ taskRunUid, step: '../../provenance', attempt: 0, observed: observed() }))).toBe('STEP_UNEXPECTED');
    const caller = { who: { case: 'workload' as const, value: { ...ALICE, user: '../../stepseal/provenance' } } };
    expect(await codeOf(agent.node.identify(caller))).toBe('SPIFFE_ID_INVALID');
    const nobody = { who: { case: 'workload' as const, value: { ...ALICE, operator: false } } };
    expect((await agent.node.identify(nobody)).identities).toEqual([]);
    expect(await codeOf(sealAs(server, agent, { caller: nobody, spiffeId: PERSON }, artifact('a')))).toBe('IDENTITY_NONE');
  });

  test('reach what is on the admin socket', async () => {
    const admin = agent.connection.stub(Admin);
    expect(await codeOf(admin.createJoinToken({}))).toBe('RPC_UNIMPLEMENTED');
    expect(await codeOf(admin.finishRun({}))).toBe('RPC_UNIMPLEMENTED');
  });
});

describe('a person', () => {
  const caller = { who: { case: 'workload' as const, value: ALICE } };

  test('has an identity, SVIDs of an hour and tokens of five minutes', async () => {
    const { identities } = await agent.node.identify(caller);
    expect(identities).toMatchObject([{ spiffeId: PERSON, roads: ['seal', 'bearer'] }]);
    const { svids } = await agent.node.issueX509Svid({ caller, publicKey: clientKey().spki });
    expect(certificateEvidence(parseCertificate(svids[0]!.chain[0]!))).toBeUndefined();
    const { svids: tokens } = await agent.node.issueJwtSvid({ caller, audience: ['sigstore'], spiffeId: PERSON });
    expect(Number(tokens[0]!.expiresMs - tokens[0]!.issuedMs)).toBe(300_000);
    expect(decodeJwtSvid(tokens[0]!.token).claims).not.toHaveProperty('stepseal_attempt');
    expect(await codeOf(agent.node.issueJwtSvid({ caller, audience: [] }))).toBe('JWT_CLAIMS');
  });

  test('seals through an agent and at the admin socket', async () => {
    const [sealed] = await sealAs(server, agent, { caller, spiffeId: PERSON }, artifact('mine'));
    expect(verdictOf(sealed!.bundle, PERSON, 'mine').status).toBe('ok');
    const { spiffeId, items } = await server.adminSeal.seal({ items: [{ name: 'mine', what: { case: 'sha256', value: toHex(sha256(utf8('mine'))) } }] });
    expect(spiffeId).toMatch(/^spiffe:\/\/example\.org\/local\/user\//);
    expect(verdictOf(items[0]!.bundle, spiffeId, 'mine').status).toBe('ok');
  });

  test.each([
    ['a path, which the client must hash', { case: 'path' as const, value: '/etc/passwd' }, 'SEAL_INVALID'],
    ['a digest that is none', { case: 'sha256' as const, value: 'ABC' }, 'HEX_INVALID'],
    ['provenance', { case: 'statement' as const, value: { predicateType: 'https://slsa.dev/provenance/v1', predicate: utf8('{}'), subjects: [{ name: 'a', sha256: '0'.repeat(64) }] } }, 'PREDICATE_RESERVED'],
    ['a predicate that is no object', { case: 'statement' as const, value: { predicateType: 'https://example.com/x', predicate: utf8('[]'), subjects: [{ name: 'a', sha256: '0'.repeat(64) }] } }, 'STATEMENT_INVALID'],
  ])('does not seal at the admin socket: %s', async (_, what, code) => {
    expect(await codeOf(server.adminSeal.seal({ items: [{ name: 'a', what }] }))).toBe(code);
  });

  test('gets as many bundles as fit into an answer, and not one more is signed', async () => {
    const what = { case: 'sha256' as const, value: '0'.repeat(64) };
    const { logSize } = await server.admin.getStatus({});
    expect(await codeOf(server.adminSeal.seal({ items: Array.from({ length: 2001 }, () => ({ name: 'a', what })) }))).toBe('SEAL_INVALID');
    expect(await codeOf(server.adminSeal.seal({ items: [] }))).toBe('SEAL_INVALID');
    expect((await server.admin.getStatus({})).logSize).toBe(logSize);
  });
});
