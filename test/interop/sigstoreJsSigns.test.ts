import { bundleToJSON } from '@sigstore/bundle';
import { FulcioSigner, MessageSignatureBundleBuilder, RekorWitness, TSAWitness } from '@sigstore/sign';
import { sign } from 'sigstore';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { createPrehash } from '../../src/keys/native.ts';
import { parseIdentityPattern } from '../../src/spiffe/pattern.ts';
import { verifyBundle } from '../../src/verifier/bundle.ts';
import { firstFault, type Verdict } from '../../src/verifier/verdict.ts';
import { PERSON, serverFolder, testServer, type TestServer } from '../fakes/testServer.ts';

const folder = serverFolder();
const data = Buffer.from('a release');
const options = { retry: 0, timeout: 10_000 };
let server: TestServer;

beforeAll(async () => {
  server = await testServer(folder.path);
});
afterAll(async () => {
  await server.stop();
  folder.remove();
});

function weVerify(bundle: unknown, about: Uint8Array): Verdict {
  const expectation = { identity: parseIdentityPattern(PERSON), issuer: server.issuer, artifact: { sha256: sha256(about) } };
  return verifyBundle(utf8(JSON.stringify(bundle)), expectation, { trust: server.trust, prehash: createPrehash() });
}

/** It writes message signatures as bundle v0.2; the same in the one form that we take, v0.3 with a single certificate. */
function asVersion3(bundle: { readonly verificationMaterial: object }): object {
  const { x509CertificateChain, ...material } = bundle.verificationMaterial as { x509CertificateChain: { certificates: object[] } };
  const certificate = x509CertificateChain.certificates[0]!;
  return { ...bundle, mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', verificationMaterial: { ...material, certificate } };
}

describe('sigstore-js signs against our endpoints', () => {
  test('with certificate, log entry and timestamp, and we accept the bundle for what it is about', async () => {
    const token = await server.mint();
    const builder = new MessageSignatureBundleBuilder({
      signer: new FulcioSigner({ fulcioBaseURL: server.httpUrl, identityProvider: { getToken: async () => token }, ...options }),
      witnesses: [
        new RekorWitness({ rekorBaseURL: server.httpUrl, majorApiVersion: 2, ...options }),
        // its client adds the path of the timestamp endpoint to a bare address
        new TSAWitness({ tsaBaseURL: server.httpUrl, ...options }),
      ],
    });
    const bundle = bundleToJSON(await builder.create({ data }));
    expect(firstFault([weVerify(bundle, data)]).code).toBe('BUNDLE_INVALID');
    expect(weVerify(asVersion3(bundle), data).status).toBe('ok');
    expect(weVerify(asVersion3(bundle), utf8('another')).status).toBe('fail');
  });

  test('by its one-call API with a timestamp and no log, which we say is missing', async () => {
    const bundle = await sign(data, { fulcioURL: server.httpUrl, tlogUpload: false, tsaServerURL: server.httpUrl, identityToken: await server.mint(), ...options });
    expect(firstFault([weVerify(asVersion3(bundle), data)]).code).toBe('TLOG_MISSING');
  });

  test('and is refused a certificate for a token of another audience', async () => {
    const identityToken = await server.mint({ aud: ['somebody'] });
    await expect(sign(data, { fulcioURL: server.httpUrl, tlogUpload: false, tsaServerURL: server.httpUrl, identityToken, ...options })).rejects.toThrow(/signing certificate/);
  });
});
