import { create } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, test } from 'vitest';
import { createTrustStore, readTrust, type Trust, trustOfMessage } from '../../../src/agent/trust.ts';
import { generateSigner } from '../../../src/keys/signer.ts';
import { systemClock, systemRng } from '../../../src/keys/system.ts';
import { TrustSchema } from '../../../src/rpc/gen/stepseal/node_pb.js';
import { encodeSpiffeBundle } from '../../../src/spiffe/bundleDocument.ts';
import { testCa } from '../../fakes/ca.ts';

let roots: Uint8Array[];
let foreign: Uint8Array;
const jwt = ['one', 'two'].map((kid) => ({ kid, spki: generateSigner('ecdsa-p256-sha256').spki }));

beforeAll(async () => {
  const ca = (trustDomain: string) => testCa({ trustDomain, clock: systemClock, rng: systemRng });
  const [a, b, other] = await Promise.all([ca('example.org'), ca('example.org'), ca('example.com')]);
  roots = [a, b].map(({ identityRoot }) => identityRoot.certificate.der);
  foreign = other.identityRoot.certificate.der;
});

const trust = (x509Authorities: Uint8Array[], keys = [jwt[0]!], sequence = 1): Trust => readTrust(encodeSpiffeBundle({ x509Authorities, jwtAuthorities: keys, sequence }));

function store(first: Trust) {
  const saved: number[] = [];
  return { saved, ...createTrustStore(first, (next) => Promise.resolve(void saved.push(next.bundle.sequence ?? -1))) };
}

describe('the kept bundle', () => {
  test('is of the trust domain that its roots name', () => {
    expect(trust(roots).trustDomain).toBe('example.org');
    expect(() => trust([])).toThrowError(expect.objectContaining({ code: 'SPIFFE_BUNDLE_INVALID' }));
    expect(() => trust([roots[0]!, foreign])).toThrowError(expect.objectContaining({ code: 'SPIFFE_BUNDLE_INVALID' }));
  });

  test('changes with the server\'s, which is saved first; a form that stays is the same object', async () => {
    const kept = store(trust([roots[0]!]));
    const { x509, jwks } = kept.current();
    expect(await kept.take(trust([roots[0]!], jwt, 2))).toBe('keys');
    expect(kept.current().x509).toBe(x509);
    expect(kept.current().jwks).not.toBe(jwks);
    const { jwks: newer } = kept.current();
    expect(await kept.take(trust(roots, jwt, 3))).toBe('roots');
    expect(kept.current().jwks).toBe(newer);
    expect([kept.current().roots.length, kept.saved]).toEqual([2, [2, 3]]);
  });

  test('stays where the server says the same again', async () => {
    const kept = store(trust([roots[0]!]));
    expect([await kept.take(trust([roots[0]!])), kept.saved]).toEqual(['none', []]);
  });

  test('is not replaced by an older one', async () => {
    const kept = store(trust([roots[0]!], jwt, 5));
    await expect(kept.take(trust(roots, jwt, 4))).rejects.toMatchObject({ code: 'TRUST_ROLLBACK' });
    expect([kept.current().roots.length, kept.saved]).toEqual([1, []]);
  });
});

test('a push of another trust domain, or without roots, is not taken', () => {
  const message = (over: object) => create(TrustSchema, { trustDomain: 'example.org', x509Authorities: roots, jwtAuthorities: encodeSpiffeBundle({ x509Authorities: [], jwtAuthorities: jwt }), sequence: 2n, refreshHintSeconds: 300n, ...over });
  expect(trustOfMessage(message({}), 'example.org').bundle).toMatchObject({ trustDomain: 'example.org', sequence: 2, refreshHint: 300 });
  expect(() => trustOfMessage(message({ trustDomain: 'example.com' }), 'example.org')).toThrowError(expect.objectContaining({ code: 'TRUST_DOMAIN_CA_MISMATCH' }));
  expect(() => trustOfMessage(message({ x509Authorities: [] }), 'example.org')).toThrowError(expect.objectContaining({ code: 'SPIFFE_BUNDLE_INVALID' }));
});
