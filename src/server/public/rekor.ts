import { StepsealError } from '../../base/errors.ts';
import { digestOf, keyDetailsOf } from '../../envelope/keyDetails.ts';
import { encodeHashedRekord, HASHED_REKORD, parseHashedRekordRequest, type HashedRekord } from '../../envelope/hashedRekord.ts';
import { tlogEntryJson } from '../../envelope/tlogEntry.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { verifyCertificateChain } from '../../x509/path.ts';
import type { OpenServer } from '../open.ts';

export const MAX_REKOR_REQUEST = 128 * 1024;

/**
 * Rekor v2 CreateEntry for hashedrekord 0.0.2: answers a TransparencyLogEntry when the checkpoint that covers it is
 * durable. An entry that is there already is answered with a fresh proof of the original. Only signatures under
 * certificates of our own CA are taken, while those are valid. JSON in, JSON out.
 * Throws LOG_REQUEST_INVALID, ALG_NOT_ALLOWED, SIG_INVALID, what path validation throws, LOG_BUSY, STORE_*.
 */
export async function createEntry(open: OpenServer, body: Uint8Array): Promise<string> {
  const entry = parseHashedRekordRequest(body);
  checkEntry(open, entry);
  const bytes = encodeHashedRekord(entry);
  const [added] = await open.tlog.append([bytes]);
  const { index, treeSize, rootHash, hashes, checkpoint } = added!;
  return JSON.stringify(
    tlogEntryJson({
      logIndex: index, logId: open.tlog.keyId, kindVersion: HASHED_REKORD, canonicalizedBody: bytes,
      inclusionProof: { logIndex: index, treeSize, rootHash, hashes, checkpoint },
    }),
  );
}

function checkEntry({ core, authorities }: OpenServer, { certificate, digest, keyDetails, signature }: HashedRekord): void {
  const leaf = parseCertificate(certificate);
  verifyCertificateChain({
    leaf,
    intermediates: [...authorities.history('signing-intermediate')],
    roots: [authorities.signingRoot.certificate],
    time: core.clock.now(),
    purpose: 'signing',
    trustDomain: core.trustDomain,
  });
  const expected = keyDetailsOf(leaf.spki);
  if (keyDetails !== expected) throw new StepsealError('LOG_REQUEST_INVALID', 'keyDetails is not that of the certificate\'s key', { expected, found: keyDetails });
  // only the hash reaches the log, and of Ed25519ph nothing here can check that
  if (keyDetails === 'PKIX_ED25519_PH') throw new StepsealError('ALG_NOT_ALLOWED', 'the log takes no Ed25519 signatures', { expected: 'ECDSA or RSA', found: keyDetails });
  if (!core.prehash.verify(leaf.spki, digestOf(keyDetails), digest, signature)) {
    throw new StepsealError('SIG_INVALID', 'the signature is not by the certificate\'s key over the digest');
  }
}
