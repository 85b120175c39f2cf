import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { createRun, openAttempt, artifact, sealAs, sealClaim } from '../fakes/serverRun.ts';
import { codeOf, serverFolder, type TestAgent, testServer, type TestServer } from '../fakes/testServer.ts';

const MINUTE = 60_000;
const folder = serverFolder();
let server: TestServer;
let agent: TestAgent;
/** how far the clock is ahead of this machine's */
let ahead = 0;
const bundles: { readonly name: string; readonly bundle: Uint8Array }[] = [];

async function start(): Promise<void> {
  server = await testServer(folder.path, {}, ahead);
  agent = await server.join();
}
beforeAll(start);
afterAll(async () => {
  await server.stop();
  folder.remove();
});

function move(by: number): void {
  ahead += by;
  server.clock.move(by);
}

/** A step's Seal of one artifact, from its attempt to its claim. */
async function sealed(name: string): Promise<string> {
  const run = await createRun(server);
  const attempt = await openAttempt(agent, run);
  return codeOf((async () => {
    const [item] = await sealAs(server, agent, { caller: attempt.caller, spiffeId: attempt.spiffeId }, artifact(name));
    await sealClaim(server, agent, attempt);
    bundles.push({ name, bundle: item!.bundle });
  })());
}

const SEALED = 'nothing was thrown';
const verdicts = (): string[] => bundles.map(({ name, bundle }) => {
  const { status, code } = verifyBundle(bundle, { identity: 'any', artifact: { sha256: sha256(utf8(name)) } }, { trust: server.trust, prehash: server.prehash });
  return `${name} ${status} ${code ?? ''}`.trim();
});

describe('a clock that jumps', () => {
  test('ahead changes nothing but the times that are told', async () => {
    expect(await sealed('first')).toBe(SEALED);
    move(30 * MINUTE);
    expect(await sealed('ahead')).toBe(SEALED);
    expect(verdicts()).toEqual(['first ok', 'ahead ok']);
  });

  test('back by less than a second is not noticed: no time is told twice as another', async () => {
    move(-900);
    expect(await sealed('nearly')).toBe(SEALED);
    expect(verdicts()).toContain('nearly ok');
  });

  test('back by more stops Seals, with a code that says so, until it has caught up', async () => {
    move(-20 * MINUTE);
    expect(await sealed('back')).toBe('CLOCK_WENT_BACK');
    expect(await codeOf(server.adminSeal.seal({ items: [{ name: 'x', what: { case: 'sha256', value: '00'.repeat(32) } }] }))).toBe('CLOCK_WENT_BACK');
    move(21 * MINUTE);
    expect(await sealed('caught up')).toBe(SEALED);
    expect(verdicts()).toContain('caught up ok');
  });

  test('back stays so until a restart: what is sealed then verifies, and so does everything before', async () => {
    move(-ahead);
    expect(await sealed('back again')).toBe('CLOCK_WENT_BACK');
    await server.stop();
    await start();
    expect(await sealed('restarted')).toBe(SEALED);
    expect(verdicts()).toEqual(['first', 'ahead', 'nearly', 'caught up', 'restarted'].map((name) => `${name} ok`));
  });
});
