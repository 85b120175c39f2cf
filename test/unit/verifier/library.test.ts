import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Signer } from '../../../src/base/ports.ts';
import { artifactOf, loadTrust, parseIdentityPattern, type StepsealError, verifyArtifactSignature, verifyBundle, verifyChain } from '../../../src/index.ts';
import { createPrehash } from '../../../src/keys/native.ts';
import { digestsNeeded } from '../../../src/verifier/digestsNeeded.ts';
import { createUniverse, encodedTrust, seal } from '../../fakes/universe.ts';
import { makeRun } from '../../fakes/universeRun.ts';
import { flatten } from './rows/row.ts';

const universe = await createUniverse();
const run = await makeRun(universe);
const trust = loadTrust(encodedTrust(universe));
const identity = parseIdentityPattern(run.identity);
const artifact = artifactOf(run.artifact);

describe('the library', () => {
  test('verifies a chain with the bytes of the artifact and no port', () => {
    const verdict = verifyChain(run.files, { artifact, identity, builder: 'https://example.org/stepseal/local' }, { trust });
    expect(verdict.status).toBe('ok');
    expect(flatten(verdict).every(({ status }) => status === 'ok')).toBe(true);
  });

  test('does not pass what it could not check: a digest without a port', () => {
    const { sha256 } = artifact;
    const verdict = verifyArtifactSignature(run.files, { artifact: { sha256 }, identity }, { trust });
    expect(verdict.status).toBe('unavailable');
    expect(flatten(verdict).flatMap(({ code }) => code ?? [])).toEqual(['ARTIFACT_REQUIRED']);
    expect(verifyChain(run.files, { artifact: { sha256 }, identity }, { trust }).status).not.toBe('ok');
    expect(verifyChain(run.files, { artifact: { sha256 }, identity }, { trust, prehash: createPrehash() }).status).toBe('ok');
  });

  test('names in the verdict the digests that it rests on', () => {
    const [signed] = verifyChain(run.files, { artifact, identity }, { trust }).children;
    expect(signed!.evidence).toEqual({ bundle: expect.stringMatching(/^[0-9a-f]{64}$/), content: Buffer.from(artifact.sha256).toString('hex') });
  });

  test('refuses a trusted root whose log id is not that of its key', () => {
    const wrong = encodedTrust({ ...universe, trustedRoot: { ...universe.trustedRoot, tlogs: universe.trustedRoot.tlogs.map((log) => ({ ...log, logId: Buffer.alloc(32, 1) })) } });
    expect(() => loadTrust(wrong)).toThrow(expect.objectContaining({ code: 'TRUSTED_ROOT_INVALID' }) as StepsealError);
  });

  test.each(['log-1.example.org', 'https://LOG.example.org', 'ftp://log.example.org', 'https://user@log.example.org'])('refuses a trusted root whose log is at %s', (baseUrl) => {
    const wrong = encodedTrust({ ...universe, trustedRoot: { ...universe.trustedRoot, tlogs: universe.trustedRoot.tlogs.map((log) => ({ ...log, baseUrl })) } });
    expect(() => loadTrust(wrong)).toThrow(expect.objectContaining({ code: 'TRUSTED_ROOT_INVALID' }) as StepsealError);
  });
});

describe('other keys that clients bring', () => {
  const KEYS: Record<string, () => Signer> = {
    'P-384': () => signer(generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'ecdsa-p384-sha384', 'sha384'),
    'P-521': () => signer(generateKeyPairSync('ec', { namedCurve: 'P-521' }), 'ecdsa-p521-sha512', 'sha512'),
    'RSA-2048': () => signer(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'rsa-pkcs1-sha256', 'sha256'),
  };

  test.each(Object.keys(KEYS))('%s, over an artifact and over a statement', async (name) => {
    const key = KEYS[name]!();
    const statement = Buffer.from(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', predicateType: 'https://example.com/t', subject: [{ digest: { sha256: Buffer.from(artifact.sha256).toString('hex') } }] }));
    for (const content of [{ artifact: run.artifact }, { statement }]) {
      const bundle = await seal(universe, content, { identity: run.identity, key });
      const { bytes: _, ...digests } = artifact;
      expect(verifyBundle(bundle, { artifact, identity }, { trust }).status).toBe('ok');
      expect(verifyBundle(bundle, { artifact: digests, identity }, { trust, prehash: createPrehash() }).status).toBe('ok');
    }
  });

  test('say under which hashes an artifact must be known', async () => {
    const bundle = await seal(universe, { artifact: run.artifact }, { identity: run.identity, key: KEYS['P-384']!() });
    expect(digestsNeeded([...run.files.map(({ bytes }) => bytes), bundle, Buffer.from('no bundle')])).toEqual(['sha256', 'sha384']);
    const verdict = verifyBundle(bundle, { artifact: { sha256: artifact.sha256 }, identity }, { trust, prehash: createPrehash() });
    expect(flatten(verdict)).toContainEqual(expect.objectContaining({ link: 'artifact', code: 'DIGEST_INVALID' }));
  });
});

function signer({ privateKey, publicKey }: ReturnType<typeof generateKeyPairSync>, algorithm: Signer['algorithm'], hash: string): Signer {
  return { algorithm, spki: publicKey.export({ type: 'spki', format: 'der' }), sign: (data) => sign(hash, data, privateKey) };
}
