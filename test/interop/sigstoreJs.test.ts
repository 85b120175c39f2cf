import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { createUniverse, encodedTrust, seal } from '../fakes/universe.ts';

const STEP = 'spiffe://example.org/ns/local/task/release/step/build';
const artifact = Buffer.from('a release');
const universe = await createUniverse();
await seal(universe, { artifact: utf8('earlier') }, { identity: STEP });
const bytes = Buffer.from(await seal(universe, { artifact }, { identity: STEP }));
const trust = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(Buffer.from(encodedTrust(universe)).toString())));
const verifier = new Verifier(trust);

// its released verifier knows no DSSE entries of Rekor v2, so only message signatures
describe('sigstore-js', () => {
  const verify = (json: Buffer, about: Buffer, identity = STEP) =>
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(json.toString())), about), { subjectAlternativeName: identity, extensions: { issuer: universe.issuer } });

  test('accepts the bundle of an artifact and names its signer', () => {
    expect(verify(bytes, artifact).identity?.subjectAlternativeName).toBe(STEP);
  });

  test('refuses another artifact and another identity', () => {
    expect(() => verify(bytes, Buffer.from('another'))).toThrow(expect.objectContaining({ code: 'SIGNATURE_ERROR' }));
    expect(() => verify(bytes, artifact, 'spiffe://example.org/other')).toThrow(expect.objectContaining({ code: 'UNTRUSTED_SIGNER_ERROR' }));
  });
});
