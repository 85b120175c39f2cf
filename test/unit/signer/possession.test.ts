import { describe, expect, test } from 'vitest';
import { fromUtf8, sha256, utf8 } from '../../../src/base/bytes.ts';
import { toHex } from '../../../src/base/hex.ts';
import { IN_TOTO_PAYLOAD_TYPE, pae } from '../../../src/envelope/dsse.ts';
import { type Possession, possessionMessage } from '../../../src/signer/possession.ts';

const POSSESSION: Possession = {
  spiffeId: 'spiffe://example.org/local/user/alice', attempt: 'workload', requestId: '0'.repeat(32), time: 1_700_000_000_000,
  publicKey: Uint8Array.of(1, 2, 3), digests: [sha256(utf8('a')), sha256(utf8('b'))],
};

describe('the message that proves possession', () => {
  test('is a line of its domain and canonical JSON of everything that it binds', () => {
    const digests = POSSESSION.digests.map((digest) => `"${toHex(digest)}"`).join(',');
    expect(fromUtf8(possessionMessage(POSSESSION))).toBe(
      `stepseal possession v1\n{"attempt":"workload","digests":[${digests}],"publicKey":"${toHex(sha256(Uint8Array.of(1, 2, 3)))}","requestId":"${'0'.repeat(32)}",` +
        '"spiffeId":"spiffe://example.org/local/user/alice","time":1700000000000}',
    );
  });

  const changes: readonly Partial<Possession>[] = [
    { spiffeId: 'spiffe://example.org/local/user/bob' }, { attempt: 'self' }, { requestId: '1'.repeat(32) }, { time: 1 }, { publicKey: Uint8Array.of(1) },
    { digests: POSSESSION.digests.toReversed() }, { digests: POSSESSION.digests.slice(1) }, { digests: [] },
  ];
  test.each(changes)('is another one with %j', (change) => {
    expect(toHex(possessionMessage({ ...POSSESSION, ...change }))).not.toBe(toHex(possessionMessage(POSSESSION)));
  });

  test('cannot be the pre-authentication encoding of an envelope', () => {
    const message = fromUtf8(possessionMessage(POSSESSION));
    expect(fromUtf8(pae(IN_TOTO_PAYLOAD_TYPE, utf8(message))).startsWith('stepseal')).toBe(false);
    expect(message.startsWith('DSSEv1')).toBe(false);
  });
});
