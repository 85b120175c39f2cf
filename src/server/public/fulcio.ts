import { fromBase64 } from '../../base/base64.ts';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { StepsealError } from '../../base/errors.ts';
import { type Json, parseJson } from '../../base/json.ts';
import { isObject, Reader } from '../../base/read.ts';
import { issueSigningCertificate } from '../../ca/signing.ts';
import { signatureAlgorithmOf } from '../../der/algorithm.ts';
import { decodePem, encodePem } from '../../der/pem.ts';
import { parseSpki } from '../../der/spki.ts';
import { validateJwtSvid, type JwtSvid } from '../../spiffe/jwtValidate.ts';
import { certifyKey } from '../../store/certifiedKeys.ts';
import { readOpenAttempt } from '../../store/attempts.ts';
import { parseCsr } from '../../x509/csr.ts';
import { verifySignature } from '../../x509/verify.ts';
import { bindingOf, certificateEvidenceOf } from '../binding.ts';
import type { OpenServer } from '../open.ts';

/** Audience that Sigstore clients ask their tokens for. */
export const FULCIO_AUDIENCE = 'sigstore';
export const MAX_FULCIO_REQUEST = 64 * 1024;

interface CertificateOrder {
  readonly token: string;
  readonly spki: Uint8Array;
  /** Throws POSSESSION_INVALID; a CSR has proven possession by its own signature */
  readonly assertPossession: (subject: string) => void;
}

/**
 * dev.sigstore.fulcio.v2.CA/CreateSigningCertificate: a JWT-SVID and a key become a signing certificate, by the road
 * `bearer`, if the allow list has one for the subject. `authorization` is the request's header. JSON in, JSON out.
 * Throws FULCIO_REQUEST_INVALID, JWT_*, POSSESSION_INVALID, IDENTITY_NOT_ALLOWED, ROAD_NOT_ALLOWED, ATTEMPT_*,
 * KEY_ALREADY_CERTIFIED, ALG_NOT_ALLOWED and what issuing throws.
 */
export async function createSigningCertificate({ core, authorities }: OpenServer, body: Uint8Array, authorization: string | undefined): Promise<string> {
  const order = readOrder(body, authorization);
  const now = core.clock.now();
  const svid = validateJwtSvid(order.token, { keys: core.identity.jwtAuthorities, audience: FULCIO_AUDIENCE, now, trustDomain: core.trustDomain });
  if (svid.issuer !== core.issuer) throw new StepsealError('JWT_CLAIMS', 'the token is of another issuer', { expected: core.issuer, found: svid.issuer ?? 'none' });
  order.assertPossession(svid.id.uri);
  const attemptId = attemptOf(svid);
  const step = attemptId === undefined ? undefined : bindingOf(core.trustDomain, readOpenAttempt(core.db, attemptId));
  core.registry.authorizeSigning({ spiffeId: svid.id.uri, road: 'bearer', attemptOpen: step !== undefined });
  certifyKey(core.db, { spki: order.spki, spiffeId: svid.id.uri, attemptId: attemptId ?? 'bearer' }, now);
  const issuer = core.signing();
  const leaf = await issueSigningCertificate(issuer, {
    spiffeId: svid.id.uri,
    spki: order.spki,
    evidence: certificateEvidenceOf('bearer', step),
    ...(step && { attested: step.attested }),
  });
  core.log.info({ identity: svid.id.uri, road: 'bearer' }, 'certificate issued');
  const chain = [leaf.der, issuer.authority.certificate.der, authorities.signingRoot.certificate.der];
  return JSON.stringify({ signedCertificateEmbeddedSct: { chain: { certificates: chain.map((der) => encodePem('CERTIFICATE', der)) } } });
}

/** dev.sigstore.fulcio.v2.CA/GetTrustBundle. */
export function trustBundle({ authorities }: OpenServer): string {
  const root = authorities.signingRoot.certificate;
  const chains = authorities.history('signing-intermediate').map(({ der }) => ({ certificates: [der, root.der].map((item) => encodePem('CERTIFICATE', item)) }));
  return JSON.stringify({ chains });
}

/** dev.sigstore.fulcio.v2.CA/GetConfiguration. */
export function configuration({ core }: OpenServer): string {
  return JSON.stringify({
    issuers: [{ issuerUrl: core.issuer, audience: FULCIO_AUDIENCE, challengeClaim: 'sub', spiffeTrustDomain: core.trustDomain, issuerType: 'spiffe' }],
  });
}

function readOrder(body: Uint8Array, authorization: string | undefined): CertificateOrder {
  const request = new Reader(parseJson(body, { size: MAX_FULCIO_REQUEST }), 'request', 'FULCIO_REQUEST_INVALID');
  request.only('credentials', 'publicKeyRequest', 'certificateSigningRequest');
  const token = readToken(request, authorization);
  const csr = request.at('certificateSigningRequest').optional((value) => readCsr(value));
  const key = request.at('publicKeyRequest').optional(readPublicKey);
  if ((csr === undefined) === (key === undefined)) request.at('publicKeyRequest').fail('exactly one of publicKeyRequest and certificateSigningRequest');
  return { token, ...(csr ?? key!) };
}

/** In the header (Fulcio's gateway maps it) or in the body. What stands there instead is not repeated: it may be a token. */
function readToken(request: Reader, authorization: string | undefined): string {
  const { value } = request.at('credentials');
  const tokens = [
    ...(authorization === undefined ? [] : [/^Bearer ([\x21-\x7e]+)$/i.exec(authorization)?.[1]]),
    ...(value === undefined || value === null ? [] : [tokenInBody(value)]),
  ];
  const [token] = tokens;
  if (token !== undefined && tokens.every((each) => each === token)) return token;
  throw new StepsealError('FULCIO_REQUEST_INVALID', tokens.length > 1 ? 'the request has two tokens' : 'the request has no token', {
    expected: 'credentials.oidcIdentityToken, or the header Authorization: Bearer',
  });
}

function tokenInBody(credentials: Json): string | undefined {
  const { oidcIdentityToken: token, ...others } = isObject(credentials) ? credentials : {};
  return typeof token === 'string' && Object.keys(others).length === 0 ? token : undefined;
}

function readPublicKey(reader: Reader): Omit<CertificateOrder, 'token'> {
  const key = reader.only('publicKey', 'proofOfPossession').at('publicKey').only('algorithm', 'content');
  const [spki] = decodePem(key.at('content').string(), 'PUBLIC KEY');
  const proof = fromBase64(reader.at('proofOfPossession').string());
  const algorithm = signatureAlgorithmOf(parseSpki(spki!).algorithm);
  return {
    spki: spki!,
    // Fulcio: the signature is over the subject of the token
    assertPossession: (subject) => {
      if (verifySignature(spki!, algorithm, utf8(subject), proof)) return;
      throw new StepsealError('POSSESSION_INVALID', 'the proof of possession is not a signature by this key over the subject of the token', { expected: `a signature over ${subject}` });
    },
  };
}

/** Only the key counts; what else a CSR asks for is ignored, as Fulcio does. */
function readCsr(reader: Reader): Omit<CertificateOrder, 'token'> {
  const [der] = decodePem(fromUtf8(fromBase64(reader.string())), 'CERTIFICATE REQUEST');
  const { spki } = parseCsr(der!);
  return { spki, assertPossession: () => undefined };
}

function attemptOf({ claims }: JwtSvid): string | undefined {
  return new Reader(claims, 'claims', 'JWT_CLAIMS').at('stepseal_attempt').optional((claim) => claim.string());
}
