import { afterAll, beforeAll, expect, test } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { evidenceSha256 } from '../../src/provenance/evidence.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { certificateEvidence } from '../../src/x509/evidence.ts';
import { fulcioValue } from '../../src/x509/fulcio.ts';
import { chainOf, keyOrder, outcomeOf, post, type Answer } from '../fakes/publicClient.ts';
import { createRun, openAttempt, STEP } from '../fakes/serverRun.ts';
import { clientKey, serverFolder, type TestAgent, testServer, type TestServer } from '../fakes/testServer.ts';

const folder = serverFolder();
let server: TestServer;
let agent: TestAgent;
beforeAll(async () => {
  server = await testServer(folder.path, { stepBearer: true });
  agent = await server.join();
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

const order = (token: string): Promise<Answer> => post(server, '/api/v2/signingCert', keyOrder(clientKey(), STEP), { authorization: `Bearer ${token}` });

test('a step that was opted in signs with a stock client while its attempt is open, under a certificate that says so', async () => {
  const { taskRunUid, ...run } = await createRun(server);
  const { caller, id, evidence } = await openAttempt(agent, { taskRunUid, ...run });
  expect((await agent.node.identify(caller)).identities).toMatchObject([{ roads: ['seal', 'bearer'] }]);
  const { svids } = await agent.node.issueJwtSvid({ caller, audience: ['sigstore'] });
  const { token } = svids[0]!;

  const leaf = parseCertificate(chainOf(await order(token))[0]!);
  const { custody, attempt, digest } = certificateEvidence(leaf)!;
  expect([custody, attempt, toHex(digest!)]).toEqual(['bearer', id, evidenceSha256(evidence)]);
  expect(fulcioValue(leaf, 21)).toBe(`https://example.org/stepseal/taskruns/${taskRunUid}`);

  await agent.node.closeAttempt({ attemptId: id, reason: 'lost' });
  expect(outcomeOf(await order(token))).toBe('403 ATTEMPT_ENDED');
});

test('a token of a step without an attempt opens no road', async () => {
  expect(outcomeOf(await order(await server.mint({ sub: STEP })))).toBe('403 ROAD_NOT_ALLOWED');
});
