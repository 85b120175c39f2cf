import { createHash } from 'node:crypto';
import { type Bundle, encodeBundle } from '../../src/envelope/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, pae } from '../../src/envelope/dsse.ts';
import { encodeHashedRekord, HASHED_REKORD } from '../../src/envelope/hashedRekord.ts';
import { digestOf, keyDetailsOf } from '../../src/envelope/keyDetails.ts';
import { encodeTrustedRoot, type TrustedRoot } from '../../src/envelope/trustedRoot.ts';
import { sha256 } from '../../src/base/bytes.ts';
import type { Rng, Signer } from '../../src/base/ports.ts';
import { type Authority, certifyAuthority } from '../../src/ca/authority.ts';
import { keyIdentifier } from '../../src/der/spki.ts';
import { sequence } from '../../src/der/write.ts';
import { formatCheckpoint } from '../../src/merkle/checkpoint.ts';
import { leafIndexExtension } from '../../src/merkle/ct.ts';
import { leafHash, nodeHash } from '../../src/merkle/hash.ts';
import { logKeyId } from '../../src/merkle/keyId.ts';
import { signNote } from '../../src/merkle/note.ts';
import { type TreeView, viewTree } from '../../src/merkle/proof.ts';
import { signedAttributes } from '../../src/x509/cms.ts';
import { type CertificateEvidence, evidenceExtension } from '../../src/x509/evidence.ts';
import { authorityKeyIdentifier, extendedKeyUsage, fulcioExtension, keyUsage, sctList, subjectAltName, subjectKeyIdentifier } from '../../src/x509/extensions.ts';
import { imprintOf } from '../../src/x509/imprint.ts';
import { EKU, KEY_USAGE } from '../../src/x509/oids.ts';
import { encodeSct, encodeSctList, sctSignedData } from '../../src/x509/sct.ts';
import { assembleCertificate, tbsCertificate } from '../../src/x509/template.ts';
import { assembleTimestampResponse } from '../../src/x509/timestamp.ts';
import { tstInfo } from '../../src/x509/tstInfo.ts';
import { seededRng, seededSigner } from './seeded.ts';

/** 2026-01-02T03:04:05Z */
export const START = 1_767_323_045_000;
const MINUTE = 60_000;

export interface Universe {
  readonly trustDomain: string;
  readonly issuer: string;
  readonly origin: string;
  readonly rng: Rng;
  readonly root: Authority;
  readonly intermediate: Authority;
  readonly tsa: Authority;
  readonly ctKey: Signer;
  readonly logKey: Signer;
  readonly trustedRoot: TrustedRoot;
  /** leaves of the signature log */
  readonly leaves: Uint8Array[];
  /** a key that signs nothing else; a new one at each call */
  newKey(): Signer;
}

/** A whole small trust domain in memory; equal seeds give equal bytes. `start`: ms since the epoch. */
export async function createUniverse(trustDomain = 'example.org', seed = trustDomain, start = START): Promise<Universe> {
  const rng = seededRng(seed);
  const key = (name: string): Signer => seededSigner(`${seed} ${name}`);
  const make = { trustDomain, now: start, rng };
  const root = await certifyAuthority('signing-root', { ...make, signer: key('root') });
  const intermediate = await certifyAuthority('signing-intermediate', { ...make, signer: key('intermediate'), issuer: root });
  const tsa = await certifyAuthority('tsa', { ...make, signer: key('tsa'), issuer: root });
  const ctKey = key('ct');
  const logKey = seededSigner(`${seed} log`, 'ed25519');
  const origin = `log-00c0ffee.${trustDomain}`;
  const validFor = { start: start - MINUTE };
  let keys = 0;
  return {
    trustDomain,
    issuer: `https://${trustDomain}`,
    origin,
    rng,
    root,
    intermediate,
    tsa,
    ctKey,
    logKey,
    leaves: [],
    newKey: () => key(`one ${keys++}`),
    trustedRoot: {
      tlogs: [{ baseUrl: `https://${origin}`, publicKey: logKey.spki, keyDetails: 'PKIX_ED25519', validFor, logId: logKeyId(origin, logKey.spki) }],
      ctlogs: [{ baseUrl: `https://ct-00c0ffee.${trustDomain}`, publicKey: ctKey.spki, keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor, logId: sha256(ctKey.spki) }],
      certificateAuthorities: [{ uri: `https://${trustDomain}`, certificates: [intermediate.certificate.der, root.certificate.der], validFor }],
      timestampAuthorities: [{ uri: `https://${trustDomain}`, certificates: [tsa.certificate.der, root.certificate.der], validFor }],
    },
  };
}

export function encodedTrust(universe: Universe): Uint8Array {
  return encodeTrustedRoot(universe.trustedRoot);
}

export interface CertificateKnobs {
  readonly identity: string;
  readonly key: Signer;
  readonly evidence?: CertificateEvidence;
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** replaces, adds or deletes extensions by name before anything is signed */
  readonly change?: (extensions: Map<string, Uint8Array>) => void;
  /** the same after the SCT was made */
  readonly afterSct?: (extensions: Map<string, Uint8Array>) => void;
  readonly by?: Authority;
  readonly sctBy?: Signer;
  readonly spki?: Uint8Array;
}

/** A signing certificate as the CA makes it, except for what the knobs change. DER. */
export async function certify(universe: Universe, knobs: CertificateKnobs): Promise<Uint8Array> {
  const by = knobs.by ?? universe.intermediate;
  const spki = knobs.spki ?? knobs.key.spki;
  const extensions = new Map<string, Uint8Array>([
    ['keyUsage', keyUsage(KEY_USAGE.digitalSignature)],
    ['extendedKeyUsage', extendedKeyUsage([EKU.codeSigning])],
    ['authorityKeyIdentifier', authorityKeyIdentifier(keyIdentifier(by.signer.spki))],
    ['subjectKeyIdentifier', subjectKeyIdentifier(keyIdentifier(spki))],
    ['subjectAltName', subjectAltName({ uris: [knobs.identity] }, true)],
    ['issuer1', fulcioExtension(1, universe.issuer)],
    ['issuer8', fulcioExtension(8, universe.issuer)],
    ['subject24', fulcioExtension(24, knobs.identity)],
    ['evidence', evidenceExtension(knobs.evidence ?? { custody: 'seal' })],
  ]);
  knobs.change?.(extensions);
  const notBefore = knobs.notBefore ?? START - 10_000;
  const template = {
    serial: Uint8Array.of(0x40, ...universe.rng.bytes(15)),
    algorithm: by.signer.algorithm,
    issuer: by.certificate.subject,
    subject: sequence(),
    notBefore,
    notAfter: knobs.notAfter ?? notBefore + 10 * MINUTE,
    spki,
  };
  const own = [...extensions.values()];
  const timestamp = Math.max(START, notBefore);
  const entry = { issuerKeyHash: sha256(by.signer.spki), tbs: tbsCertificate({ ...template, extensions: own }), timestamp, extensions: leafIndexExtension(7) };
  const signature = await (knobs.sctBy ?? universe.ctKey).sign(sctSignedData(entry));
  const sct = encodeSct({ logId: sha256(universe.ctKey.spki), timestamp, extensions: entry.extensions, signature });
  extensions.set('sct', sctList(encodeSctList(sct)));
  knobs.afterSct?.(extensions);
  const tbs = tbsCertificate({ ...template, extensions: [...extensions.values()] });
  return assembleCertificate(tbs, by.signer.algorithm, await by.signer.sign(tbs));
}

/** An RFC 3161 response over `signature` at `time` (ms). */
export async function stamp(universe: Universe, signature: Uint8Array, time: number, by: Authority = universe.tsa): Promise<Uint8Array> {
  const info = tstInfo({ policy: '1.3.6.1.4.1.57264.2', imprint: imprintOf('sha256', sha256(signature)), serial: Uint8Array.of(0x40, ...universe.rng.bytes(7)), genTime: time });
  const { certificate, signer } = by;
  const attributes = signedAttributes({ tstInfo: info, certificate, algorithm: signer.algorithm, signingTime: time });
  return assembleTimestampResponse({
    tstInfo: info,
    signedAttributes: attributes,
    signature: await signer.sign(attributes),
    algorithm: signer.algorithm,
    certificate,
    certificates: [certificate],
  });
}

export function treeOf(leaves: readonly Uint8Array[]): TreeView {
  const hashes = leaves.map(leafHash);
  const hashAt = (level: number, index: number): Uint8Array => (level === 0 ? hashes[index]! : nodeHash(hashAt(level - 1, index * 2), hashAt(level - 1, index * 2 + 1)));
  return viewTree(leaves.length, hashAt);
}

export async function checkpointOf(universe: Universe, size: number, root: Uint8Array, change: { origin?: string; key?: Signer } = {}): Promise<string> {
  const key = change.key ?? universe.logKey;
  const origin = change.origin ?? universe.origin;
  return signNote(formatCheckpoint({ origin, size, root }), { name: origin, keyId: logKeyId(universe.origin, universe.logKey.spki), sign: (data) => key.sign(data) });
}

/** Appends a leaf to the log and answers the entry as a bundle holds it. */
export async function log(universe: Universe, body: Uint8Array): Promise<Bundle['tlogEntries'][number]> {
  const logIndex = universe.leaves.push(body) - 1;
  const tree = treeOf(universe.leaves);
  const rootHash = tree.root();
  const treeSize = universe.leaves.length;
  return {
    logIndex,
    logId: logKeyId(universe.origin, universe.logKey.spki),
    kindVersion: { ...HASHED_REKORD },
    canonicalizedBody: body,
    inclusionProof: { logIndex, treeSize, rootHash, hashes: tree.inclusion(logIndex), checkpoint: await checkpointOf(universe, treeSize, rootHash) },
  };
}

export type Content = { readonly artifact: Uint8Array } | { readonly statement: Uint8Array };

export interface SealKnobs extends Omit<CertificateKnobs, 'key'> {
  readonly key?: Signer;
  /** of the timestamp, ms */
  readonly time?: number;
  /** another certificate than the one that the knobs make */
  readonly certificate?: Uint8Array;
  /** signs in place of `key` */
  readonly signer?: Signer;
  readonly stampedBy?: Authority;
  /** last word before encoding */
  readonly finish?: (bundle: Bundle) => Bundle | Promise<Bundle>;
}

/** A bundle as server and agent make it together, except for what the knobs change. */
export async function seal(universe: Universe, content: Content, knobs: SealKnobs): Promise<Uint8Array> {
  const key = knobs.key ?? universe.newKey();
  const time = knobs.time ?? START + 1000;
  const certificate = knobs.certificate ?? (await certify(universe, { ...knobs, key }));
  const preimage = 'artifact' in content ? content.artifact : pae(IN_TOTO_PAYLOAD_TYPE, content.statement);
  const signature = await (knobs.signer ?? key).sign(preimage);
  const keyDetails = keyDetailsOf(key.spki);
  const digest = createHash(digestOf(keyDetails)).update(preimage).digest();
  const entry = await log(universe, encodeHashedRekord({ digest, signature, certificate, keyDetails }));
  const bundle: Bundle = {
    certificate,
    tlogEntries: [entry],
    timestamps: [await stamp(universe, signature, time, knobs.stampedBy)],
    content:
      'artifact' in content
        ? { kind: 'message', digest: sha256(preimage), signature }
        : { kind: 'dsse', payloadType: IN_TOTO_PAYLOAD_TYPE, payload: content.statement, signature },
  };
  return encodeBundle((await knobs.finish?.(bundle)) ?? bundle);
}
