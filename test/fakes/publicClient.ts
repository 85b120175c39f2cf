import { toBase64 } from '../../src/base/base64.ts';
import { sha256, utf8 } from '../../src/base/bytes.ts';
import { decodePem, encodePem } from '../../src/der/pem.ts';
import { clientKey, PERSON, type ClientKey, type TestServer } from './testServer.ts';

/** JSON of an answer; only tests look into it like this */
export interface Json {
  [name: string | number]: Json;
}

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** POST of JSON, or of the text as it stands. */
export async function post(server: TestServer, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await server.http(path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text });
  return { status: response.status, body: (await response.json()) as Json };
}

/** `<status> <code>` of a refusal, `<status>` of a success. */
export function outcomeOf({ status, body }: Answer): string {
  const error = body['error'] as unknown as { code: string } | undefined;
  return error === undefined ? `${status}` : `${status} ${error.code}`;
}

/** What cosign sends to Fulcio: the key and a signature over the subject. */
export function keyOrder(key: ClientKey, subject = PERSON): { publicKeyRequest: { publicKey: { algorithm: string; content: string }; proofOfPossession: string } } {
  return {
    publicKeyRequest: {
      publicKey: { algorithm: 'ECDSA', content: encodePem('PUBLIC KEY', key.spki) },
      proofOfPossession: toBase64(key.sign(utf8(subject))),
    },
  };
}

export function chainOf(answer: Answer): Uint8Array[] {
  const certificates = answer.body['signedCertificateEmbeddedSct']!['chain']!['certificates'] as unknown as string[];
  return certificates.map((pem) => decodePem(pem, 'CERTIFICATE')[0]!);
}

/** A signing certificate for the person, as a stock client gets it: leaf, intermediate, root. */
export async function certified(server: TestServer, key = clientKey(), claims: Parameters<TestServer['mint']>[0] = {}): Promise<Uint8Array[]> {
  return chainOf(await post(server, '/api/v2/signingCert', keyOrder(key, claims.sub ?? PERSON), { authorization: `Bearer ${await server.mint(claims)}` }));
}

/** What cosign sends to Rekor v2, with a signature over the text's SHA-256. */
export function entryRequest(key: ClientKey, certificate: Uint8Array, text: string): { hashedRekordRequestV002: Json } {
  return {
    hashedRekordRequestV002: {
      digest: toBase64(sha256(utf8(text))),
      signature: {
        content: toBase64(key.sign(utf8(text))),
        verifier: { x509Certificate: { rawBytes: toBase64(certificate) }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' },
      },
    } as unknown as Json,
  };
}
