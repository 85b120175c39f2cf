import { beforeAll, describe, expect, test } from 'vitest';
import type { AttestedCaller } from '../../../src/agent/caller.ts';
import type { ServerLink } from '../../../src/agent/core.ts';
import { createJwtSvids } from '../../../src/agent/jwtSvids.ts';
import { createTrustStore, readTrust, type TrustStore } from '../../../src/agent/trust.ts';
import { createX509Svids } from '../../../src/agent/x509Svids.ts';
import { type Code, StepsealError } from '../../../src/base/errors.ts';
import { issueX509Svid } from '../../../src/ca/svid.ts';
import { generateSigner } from '../../../src/keys/signer.ts';
import { systemClock as clock, systemRng as rng } from '../../../src/keys/system.ts';
import { encodeSpiffeBundle } from '../../../src/spiffe/bundleDocument.ts';
import { testCa, type TestCa } from '../../fakes/ca.ts';

const STEP = 'spiffe://example.org/ns/local/task/t/step/s';
const caller = (key: string): AttestedCaller => ({ key, attempt: undefined, caller: {} });

let ca: TestCa;
let other: TestCa;
let trust: TrustStore;

beforeAll(async () => {
  ca = await testCa({ trustDomain: 'example.org', clock, rng });
  other = await testCa({ trustDomain: 'example.org', clock, rng });
  trust = createTrustStore(readTrust(encodeSpiffeBundle({ x509Authorities: [ca.identityRoot.certificate.der], jwtAuthorities: [] })), () => Promise.resolve());
});

/** A server that answers as it is told. */
const linkTo = (node: object): ServerLink => ({ node: () => node as ReturnType<ServerLink['node']> });
const refusing = (code: Code): object => {
  const refuse = (): Promise<never> => Promise.reject(new StepsealError(code, 'for the test'));
  return { issueX509Svid: refuse, issueJwtSvid: refuse };
};
const x509 = (node: object) => createX509Svids({ clock, rng, server: linkTo(node), trust, limit: 10 });
const jwts = (node: object) => createJwtSvids({ clock, rng, server: linkTo(node), limit: 10 });
const code = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'nothing', (error: StepsealError) => error.code);

interface Answer {
  readonly by?: TestCa;
  readonly id?: string;
  readonly said?: string;
  readonly ownKey?: boolean;
}
const answering = ({ by = ca, id = STEP, said = id, ownKey = true }: Answer = {}) => ({
  async issueX509Svid({ publicKey }: { publicKey: Uint8Array }) {
    const spki = ownKey ? publicKey : generateSigner('ecdsa-p256-sha256').spki;
    const { chain } = await issueX509Svid(by.svid, { spiffeId: id, spki, seconds: 300 });
    return { svids: [{ spiffeId: said, hint: 'step', chain }] };
  },
});

describe('X509-SVIDs', () => {
  test('are given on when they are what every peer will take', async () => {
    const { svids } = await x509(answering()).of(caller('a'));
    expect(svids).toMatchObject([{ spiffeId: STEP, hint: 'step' }]);
  });

  test.each<[string, () => Answer]>([
    ['for another key', () => ({ ownKey: false })],
    ['of another name than was said', () => ({ said: 'spiffe://example.org/ns/local/task/t/step/other' })],
    ['below a root that is not in the bundle', () => ({ by: other })],
  ])('%s are not given on', async (_what, answer) => {
    expect(await code(x509(answering(answer())).of(caller('a')))).toBe('SERVER_ANSWER_INVALID');
  });

  test('an answer without any means that there is no identity', async () => {
    expect(await code(x509({ issueX509Svid: () => Promise.resolve({ svids: [] }) }).of(caller('a')))).toBe('IDENTITY_NONE');
  });
});

test.each<[Code, Code]>([
  ['AGENT_UNKNOWN', 'AGENT_JOIN_REQUIRED'],
  ['AGENT_REQUIRED', 'AGENT_JOIN_REQUIRED'],
  ['ATTEMPT_UNKNOWN', 'IDENTITY_NONE'],
  ['SPIFFE_ID_INVALID', 'IDENTITY_NONE'],
  ['ATTEMPT_ENDED', 'ATTEMPT_ENDED'],
  ['SERVICE_UNREACHABLE', 'SERVICE_UNREACHABLE'],
])('what the server says of the agent is not told as if it were of the caller: %s becomes %s', async (said, told) => {
  expect([await code(x509(refusing(said)).of(caller('a'))), await code(jwts(refusing(said)).of(caller('a'), ['x'], ''))]).toEqual([told, told]);
});

test('tokens are kept by caller, identity and audience, and dropped by caller', async () => {
  let issued = 0;
  const now = BigInt(clock.now());
  const tokens = jwts({ issueJwtSvid: () => Promise.resolve({ svids: [{ spiffeId: STEP, hint: '', token: `${++issued}`, issuedMs: now, expiresMs: now + 300_000n }] }) });
  const of = async (key: string, audience: string[], id = ''): Promise<string> => (await tokens.of(caller(key), audience, id)).svids[0]!.token;
  expect([await of('a', ['x']), await of('a', ['y']), await of('a', ['x', 'y']), await of('a', ['x'], STEP), await of('ab', ['x'])]).toEqual(['1', '2', '3', '4', '5']);
  tokens.drop('a');
  expect([await of('ab', ['x']), await of('a', ['x'])]).toEqual(['5', '6']);
});
