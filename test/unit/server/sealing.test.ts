import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../../src/base/bytes.ts';
import { StepsealError } from '../../../src/base/errors.ts';
import { createPrehash } from '../../../src/keys/native.ts';
import { type SealRequest, SealResponseSchema } from '../../../src/rpc/gen/stepseal/node_pb.js';
import { sealAll, type SealingPorts, type SealSubject } from '../../../src/server/sealing.ts';
import { seal } from '../../../src/signer/seal.ts';
import { seededRng } from '../../fakes/ca.ts';

const NOW = Date.UTC(2026, 2, 4);
const ALICE: SealSubject = { spiffeId: 'spiffe://example.org/local/user/alice', attempt: 'workload', role: 'caller' };
const prehash = createPrehash();
const clock = { now: () => NOW };

/** A request as signer/seal.ts makes it. */
async function request(items = 2): Promise<SealRequest> {
  let made: SealRequest | undefined;
  const contents = Array.from({ length: items }, (_, i) => ({ kind: 'artifact' as const, name: `${i}`, sha256: sha256(utf8(`${i}`)) }));
  const submit = (sent: SealRequest) => {
    made = sent;
    return Promise.resolve(create(SealResponseSchema, {}));
  };
  await seal({ caller: { who: { case: 'workload', value: {} } }, spiffeId: ALICE.spiffeId, contents }, { clock, rng: seededRng('sealing'), prehash, submit }).catch(() => undefined);
  return made!;
}

type Step = 'before' | 'claimKey' | 'certify' | 'stamp' | 'append';

/** Ports that note their order; `fails` is where one throws. */
function ports(fails?: Step): { calls: Step[]; ports: SealingPorts; before: () => void } {
  const calls: Step[] = [];
  const call = (step: Step): void => {
    calls.push(step);
    if (step === fails) throw new StepsealError('STORE_FULL', `${step} has no room`);
  };
  return {
    calls,
    before: () => call('before'),
    ports: {
      clock, prehash, logId: new Uint8Array(32),
      claimKey: () => call('claimKey'),
      certify: async () => {
        call('certify');
        return Uint8Array.of(0x30, 0);
      },
      stamp: () => {
        call('stamp');
        return Uint8Array.of(1);
      },
      append: async (entries) => {
        call('append');
        return entries.map((_, index) => ({ index, duplicate: false, treeSize: entries.length, rootHash: new Uint8Array(32), hashes: [], checkpoint: 'c' }));
      },
    },
  };
}

describe('sealing', () => {
  test('checks first, then takes the key, certifies, stamps each signature and logs all at once', async () => {
    const { calls, ports: given, before } = ports();
    const answer = await sealAll(await request(), ALICE, given, before);
    expect(calls).toEqual(['before', 'claimKey', 'certify', 'stamp', 'stamp', 'append']);
    expect(answer).toMatchObject({ treeSize: 2n, checkpoint: 'c', items: [{ logIndex: 0n }, { logIndex: 1n }] });
  });

  test.each(['before', 'claimKey', 'certify', 'stamp', 'append'] as const)('goes no further when %s fails, and answers its error', async (step) => {
    const { calls, ports: given, before } = ports(step);
    await expect(sealAll(await request(), ALICE, given, before)).rejects.toMatchObject({ code: 'STORE_FULL', message: `${step} has no room` });
    expect(calls.at(-1)).toBe(step);
    expect(calls).toHaveLength(['before', 'claimKey', 'certify', 'stamp', 'append'].indexOf(step) + (step === 'append' ? 2 : 1));
  });

  const others: readonly SealSubject[] = [{ ...ALICE, spiffeId: 'spiffe://example.org/local/user/bob' }, { ...ALICE, attempt: 'self' }];
  test.each(others)('does nothing for another subject than the key has signed for: %j', async (subject) => {
    const { calls, ports: given, before } = ports();
    await expect(sealAll(await request(), subject, given, before)).rejects.toMatchObject({ code: 'POSSESSION_INVALID' });
    expect(calls).toEqual([]);
  });

  test.each([[-300_001, 'SEAL_INVALID'], [-300_000, undefined], [300_000, undefined], [300_001, 'SEAL_INVALID']])('takes an agent\'s clock within five minutes: %i ms', async (skew, code) => {
    const { ports: given } = ports();
    const answer = sealAll(await request(), ALICE, { ...given, clock: { now: () => NOW + skew } });
    if (code === undefined) await answer;
    else await expect(answer).rejects.toMatchObject({ code });
  });

  test('lets others run between the items of a large one', async () => {
    const { ports: given } = ports();
    let turns = 0;
    const sealing = sealAll(await request(300), ALICE, given).then(() => 'sealed');
    const other = (async () => {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        turns++;
        if ((await Promise.race([sealing, Promise.resolve('running')])) === 'sealed') return;
      }
    })();
    await Promise.all([sealing, other]);
    expect(turns).toBeGreaterThanOrEqual(8);
  });
});
