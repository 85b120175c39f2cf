import { generateKeyPairSync } from 'node:crypto';
import { sha256 } from '../../../../src/base/bytes.ts';
import type { Authority } from '../../../../src/ca/authority.ts';
import { keyIdentifier } from '../../../../src/der/spki.ts';
import type { TrustedRoot } from '../../../../src/envelope/trustedRoot.ts';
import { parseCertificate } from '../../../../src/x509/certificate.ts';
import {
  authorityKeyIdentifier, basicConstraints, extendedKeyUsage, extension, fulcioExtension, keyUsage, subjectAltName, subjectKeyIdentifier, uriNameConstraints,
} from '../../../../src/x509/extensions.ts';
import { namedBits } from '../../../../src/der/write.ts';
import { distinguishedName } from '../../../../src/x509/names.ts';
import { EKU, EXTENSION, KEY_USAGE } from '../../../../src/x509/oids.ts';
import { assembleCertificate, tbsCertificate } from '../../../../src/x509/template.ts';
import { seededSigner } from '../../../fakes/seeded.ts';
import { certify, createUniverse, seal, stamp, START, type Universe } from '../../../fakes/universe.ts';
import { ARTIFACT, BUILD, bundleVerdict, type BundleAttack, contextOf, runVerdict, type TamperRow } from './row.ts';
import { parseIdentityPattern } from '../../../../src/spiffe/pattern.ts';
import { verifyBundle } from '../../../../src/verifier/bundle.ts';
import type { Code } from '../../../../src/base/errors.ts';
import type { Link } from '../../../../src/verifier/verdict.ts';

const CA_USAGE = keyUsage(KEY_USAGE.keyCertSign | KEY_USAGE.crlSign);
const TEN_YEARS = 315_360_000_000;

/** A certificate authority with any extensions, below `by` or self-signed. */
async function authority(name: string, by: Authority | undefined, extensions: readonly Uint8Array[]): Promise<Authority> {
  const signer = seededSigner(`authority ${name}`);
  const subject = distinguishedName({ organization: 'example.org', commonName: name });
  const issuer = by?.signer ?? signer;
  const tbs = tbsCertificate({
    serial: Uint8Array.of(0x41, name.length), algorithm: issuer.algorithm, issuer: by?.certificate.subject ?? subject, subject,
    notBefore: START - 60_000, notAfter: START + TEN_YEARS, spki: signer.spki,
    extensions: [...extensions, subjectKeyIdentifier(keyIdentifier(signer.spki)), ...(by ? [authorityKeyIdentifier(keyIdentifier(by.signer.spki))] : [])],
  });
  return { signer, certificate: parseCertificate(assembleCertificate(tbs, issuer.algorithm, await issuer.sign(tbs))) };
}

const own = (uri: string): Uint8Array => subjectAltName({ uris: [uri] }, false);
const root = (name: string, uri = 'spiffe://example.org'): Promise<Authority> => authority(name, undefined, [basicConstraints(true), CA_USAGE, own(uri)]);
const signing = extendedKeyUsage([EKU.codeSigning]);

/** Trusts this chain, leaf's issuer first, in place of the universe's own CA. */
const trusting = (...chain: Authority[]) => (trusted: TrustedRoot): TrustedRoot => ({
  ...trusted,
  certificateAuthorities: [{ ...trusted.certificateAuthorities[0]!, certificates: chain.map(({ certificate }) => certificate.der) }],
});

const stamping = (...chain: Authority[]) => (trusted: TrustedRoot): TrustedRoot => ({
  ...trusted,
  timestampAuthorities: [{ ...trusted.timestampAuthorities[0]!, certificates: chain.map(({ certificate }) => certificate.der) }],
});

function row(id: string, name: string, code: Code | 'ok', link: Link, attack: BundleAttack | ((universe: Universe) => Promise<BundleAttack>)): TamperRow {
  return { id, name, code, link, attack: async (universe) => bundleVerdict(universe, typeof attack === 'function' ? await attack(universe) : attack) };
}

const change = (name: string, der: Uint8Array | undefined): BundleAttack => ({
  seal: { change: (extensions) => void (der === undefined ? extensions.delete(name) : extensions.set(name, der)) },
});

const san = (...uris: string[]): BundleAttack => change('subjectAltName', subjectAltName({ uris }, true));

const BAD_IDS = [
  'spiffe://example.org/ns/../step', 'spiffe://example.org/ns/./step', 'spiffe://example.org//step', 'spiffe://example.org/step/', 'spiffe://example.org/a%2fb',
  'spiffe://example.org', `spiffe://example.org/${'a'.repeat(2048)}`, 'spiffe://example.org/a\tb', 'spiffe://example.org/a\n', 'SPIFFE://example.org/a', 'https://example.org/a',
  'spiffe://example.org\\@evil/a', 'spiffe://user@example.org/a', 'spiffe://example.org:443/a', 'spiffe://example.org/a?b', 'spiffe://example.org/a#b',
];

/** ecdsa-with-SHA1 (RFC 3279) is one byte shorter in its OID; both places, lengths kept right by hand. */
function withSha1(der: Uint8Array): Uint8Array {
  const sha256Oid = Buffer.from('06082a8648ce3d040302', 'hex');
  const other = Buffer.from('06082a8648ce3d040301', 'hex');
  return Buffer.from(Buffer.from(der).toString('latin1').replaceAll(sha256Oid.toString('latin1'), other.toString('latin1')), 'latin1');
}

const spkiOf = (type: 'rsa' | 'p224'): Uint8Array =>
  (type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 1024 }) : generateKeyPairSync('ec', { namedCurve: 'secp224r1' })).publicKey.export({ type: 'spki', format: 'der' });

export const CERTIFICATE_ROWS: readonly TamperRow[] = [
  {
    id: 'T29', name: 'the trust domain begins like the right one', code: 'IDENTITY_MISMATCH', link: 'identity',
    attack: async () => {
      const evil = await createUniverse('example.org.evil');
      const bundle = await seal(evil, { artifact: ARTIFACT }, { identity: 'spiffe://example.org.evil/ns/local/task/release/step/build' });
      return verifyBundle(bundle, { identity: parseIdentityPattern(BUILD), artifact: { sha256: sha256(ARTIFACT) } }, contextOf(evil));
    },
  },
  row('T29', 'a longer path than the pattern', 'IDENTITY_MISMATCH', 'identity', { seal: { identity: `${BUILD}/more` } }),
  ...BAD_IDS.map((uri) => row('T31', `the ID ${JSON.stringify(uri.slice(0, 40))}`, 'SPIFFE_ID_INVALID', 'identity', san(uri))),
  row('T32', 'two URIs, the good one first', 'SAN_MULTIPLE_URI', 'certificate', san(BUILD, 'spiffe://example.org/other')),
  row('T32', 'two URIs, the good one second', 'SAN_MULTIPLE_URI', 'identity', san('spiffe://example.org/other', BUILD)),
  row('T34', 'the signing CA signs an artifact itself', 'LEAF_IS_CA', 'certificate', (universe) =>
    Promise.resolve({ seal: { certificate: universe.intermediate.certificate.der, key: universe.intermediate.signer } })),
  row('T35', 'the leaf may sign certificates', 'KEY_USAGE', 'certificate', change('keyUsage', keyUsage(KEY_USAGE.digitalSignature | KEY_USAGE.keyCertSign))),
  row('T35', 'the leaf may sign CRLs', 'KEY_USAGE', 'certificate', change('keyUsage', keyUsage(KEY_USAGE.digitalSignature | KEY_USAGE.crlSign))),
  row('T35', 'no key usage', 'KEY_USAGE', 'certificate', change('keyUsage', undefined)),
  row('T35', 'key usage is not critical', 'KEY_USAGE', 'certificate', change('keyUsage', extension(EXTENSION.keyUsage, false, namedBits(KEY_USAGE.digitalSignature)))),
  row('X', 'an X509-SVID signs', 'EXT_KEY_USAGE', 'certificate', change('extendedKeyUsage', extendedKeyUsage([EKU.serverAuth, EKU.clientAuth]))),
  row('X', 'a critical extension that nobody knows', 'CERT_CRITICAL_UNKNOWN', 'certificate', change('unknown', extension('2.25.1', true, Uint8Array.of(5, 0)))),
  row('T37', 'an ID outside the name constraint', 'NAME_CONSTRAINT', 'certificate', {
    seal: { identity: 'spiffe://other.example/ns/local/task/release/step/build' }, expect: { identity: 'any' },
  }),
  row('T37', 'the trust domain is an excluded subtree', 'NAME_CONSTRAINT', 'certificate', async () => {
    const top = await root('excluding root');
    const by = await authority('excluding', top, [basicConstraints(true, 0), CA_USAGE, signing, own('spiffe://example.org'), uriNameConstraints(['example.org'], ['example.org'])]);
    return { seal: { by }, trust: trusting(by, top) };
  }),
  row('T37', 'an intermediate allows more than the trust domain', 'NAME_CONSTRAINT', 'certificate', async () => {
    const top = await root('widening root');
    const by = await authority('widening', top, [basicConstraints(true, 0), CA_USAGE, signing, own('spiffe://example.org'), uriNameConstraints(['example.org', 'other.example'])]);
    return { seal: { by }, trust: trusting(by, top) };
  }),
  row('T37', 'an intermediate without a constraint', 'NAME_CONSTRAINT', 'certificate', async () => {
    const top = await root('free root');
    const by = await authority('free', top, [basicConstraints(true, 0), CA_USAGE, signing, own('spiffe://example.org')]);
    return { seal: { by }, trust: trusting(by, top) };
  }),
  row('T38', 'one authority too many below the intermediate', 'CHAIN_PATH_LENGTH', 'certificate', async (universe) => {
    const by = await authority('too deep', universe.intermediate, [basicConstraints(true, 0), CA_USAGE, signing, own('spiffe://example.org'), uriNameConstraints(['example.org'])]);
    return { seal: { by }, trust: trusting(by, universe.intermediate, universe.root) };
  }),
  row('T38', 'an intermediate that is no authority', 'CHAIN_NOT_CA', 'certificate', async () => {
    const top = await root('root of none');
    const by = await authority('none', top, [basicConstraints(false), keyUsage(KEY_USAGE.digitalSignature), signing, own('spiffe://example.org/ns/a')]);
    return { seal: { by }, trust: trusting(by, top) };
  }),
  row('T38', 'an authority that is not in the trusted root', 'CHAIN_UNTRUSTED', 'certificate', async () => {
    const top = await root('unknown root');
    const by = await authority('unknown', top, [basicConstraints(true, 0), CA_USAGE, signing, own('spiffe://example.org'), uriNameConstraints(['example.org'])]);
    return { seal: { by } };
  }),
  row('T40', 'an authority of another trust domain', 'TRUST_DOMAIN_CA_MISMATCH', 'certificate', async () => {
    const top = await root('root of b', 'spiffe://b.example');
    const by = await authority('b', top, [basicConstraints(true, 0), CA_USAGE, signing, own('spiffe://b.example'), uriNameConstraints(['example.org'])]);
    return { seal: { by }, trust: trusting(by, top) };
  }),
  row('T41', 'the certificate has expired since, the timestamp is from when it was valid', 'ok', 'certificate', { seal: { notBefore: START - 10_000, notAfter: START + 600_000, time: START + 599_000 } }),
  row('T41', 'the timestamp is from after the end', 'CHAIN_EXPIRED', 'certificate', { seal: { notAfter: START + 60_000, time: START + 61_000 } }),
  row('T41', 'the timestamp is from before the beginning', 'CHAIN_NOT_YET_VALID', 'certificate', { seal: { notBefore: START + 5_000 } }),
  row('T43', 'the timestamp is over another signature', 'TIMESTAMP_MISMATCH', 'time', (universe) =>
    Promise.resolve({ seal: { finish: async (bundle) => ({ ...bundle, timestamps: [await stamp(universe, Buffer.from('another'), START + 1000)] }) } })),
  row('T43', 'no timestamp', 'TIMESTAMP_MISSING', 'time', { seal: { finish: (bundle) => ({ ...bundle, timestamps: [] }) } }),
  row('T44', 'a TSA without the purpose', 'TSA_UNTRUSTED', 'time', async (universe) => {
    const stampedBy = await authority('no stamp', universe.root, [basicConstraints(false), keyUsage(KEY_USAGE.digitalSignature), signing]);
    return { seal: { stampedBy }, trust: stamping(stampedBy, universe.root) };
  }),
  row('T44', 'a TSA that only the token itself brings', 'TSA_UNTRUSTED', 'time', async () => {
    const top = await root('root of stamps');
    return { seal: { stampedBy: await authority('stamps', top, [basicConstraints(false), keyUsage(KEY_USAGE.digitalSignature), extendedKeyUsage([EKU.timeStamping], true)]) } };
  }),
  row('T44', 'a TSA that is trusted no longer', 'TSA_UNTRUSTED', 'time', {
    trust: (trusted) => ({ ...trusted, timestampAuthorities: trusted.timestampAuthorities.map((each) => ({ ...each, validFor: { start: START - 60_000, end: START } })) }),
  }),
  {
    id: 'T46', name: 'the key of a claim signed an artifact of another run', code: 'KEY_REUSE', link: 'keys',
    attack: (universe) => {
      const key = universe.newKey();
      return runVerdict(universe, { sealClaim: (step) => (step === 'build' ? { key } : {}), sealProvenance: { key } });
    },
  },
  row('T47', 'a certificate signed with SHA-1', 'ALG_NOT_ALLOWED', 'format', async (universe) => {
    const key = universe.newKey();
    return { seal: { key, certificate: withSha1(await certify(universe, { identity: BUILD, key })) } };
  }),
  row('T47', 'an RSA key of 1024 bits', 'ALG_NOT_ALLOWED', 'format', badKey('rsa')),
  row('T47', 'a key on P-224', 'ALG_NOT_ALLOWED', 'format', badKey('p224')),
  row('T47', 'an Ed25519 key, of which nobody knows whether it hashes first', 'ALG_NOT_ALLOWED', 'artifact', async (universe) => {
    const key = seededSigner('ed', 'ed25519');
    return { seal: { key, certificate: await certify(universe, { identity: BUILD, key }) } };
  }),
  row('T49', 'an extension was added after the SCT', 'SCT_INVALID', 'transparency', {
    seal: { afterSct: (extensions) => void extensions.set('more', fulcioExtension(11, 'somewhere')) },
  }),
  row('T49', 'the extensions stand in another order than the log saw', 'SCT_INVALID', 'transparency', {
    seal: {
      afterSct: (extensions) => {
        const moved = extensions.get('keyUsage')!;
        extensions.delete('keyUsage');
        extensions.set('keyUsage', moved);
      },
    },
  }),
  row('T49', 'the SCT is by another key', 'SCT_INVALID', 'transparency', { seal: { sctBy: seededSigner('not the ct log') } }),
  row('T49', 'no SCT', 'SCT_INVALID', 'transparency', { seal: { afterSct: (extensions) => void extensions.delete('sct') } }),
  row('T49', 'the CT log is trusted no longer', 'SCT_INVALID', 'transparency', {
    trust: (trusted) => ({ ...trusted, ctlogs: trusted.ctlogs.map((each) => ({ ...each, validFor: { start: START - 60_000, end: START - 1 } })) }),
  }),
  row('T50', 'the good ID stands inside a longer name', 'SPIFFE_ID_INVALID', 'identity', san(`spiffe://example.org/x, URI:${BUILD}`)),
  row('T50', 'the good ID stands in a DNS name', 'IDENTITY_MISMATCH', 'identity', {
    ...change('subjectAltName', subjectAltName({ uris: ['spiffe://example.org/x'], dns: [`a,URI:${BUILD}`] }, true)),
  }),
  row('X', 'two issuers in the certificate', 'ISSUER_MISMATCH', 'issuer', change('issuer1', fulcioExtension(1, 'https://other.example'))),
  row('X', 'another issuer than demanded', 'ISSUER_MISMATCH', 'issuer', { expect: { issuer: 'https://example.org/' } }),
  row('X', 'the token subject is another identity', 'IDENTITY_MISMATCH', 'identity', change('subject24', fulcioExtension(24, 'spiffe://example.org/other'))),
  row('X', 'the authority was not trusted at that time', 'CHAIN_UNTRUSTED', 'certificate', {
    trust: (trusted) => ({ ...trusted, certificateAuthorities: trusted.certificateAuthorities.map((each) => ({ ...each, validFor: { start: START + 2_000 } })) }),
  }),
  {
    id: 'X', name: 'the bundle is of another installation of the same name', code: 'CHAIN_UNTRUSTED', link: 'certificate',
    attack: async (universe) => {
      const other = await createUniverse('example.org', 'another seed');
      const bundle = await seal(other, { artifact: ARTIFACT }, { identity: BUILD });
      return verifyBundle(bundle, { identity: parseIdentityPattern(BUILD) }, { ...contextOf(universe), trust: contextOf(other, (trusted) => ({ ...trusted, certificateAuthorities: universe.trustedRoot.certificateAuthorities })).trust });
    },
  },
];

function badKey(type: 'rsa' | 'p224'): (universe: Universe) => Promise<BundleAttack> {
  return async (universe) => {
    const good = universe.newKey();
    // the certificate of a good key, in which the bad one takes its place: nothing reads further than the key
    const certificate = await certify(universe, { identity: BUILD, key: good });
    const spki = spkiOf(type);
    const tbs = tbsCertificate({
      serial: Uint8Array.of(1), algorithm: 'ecdsa-p256-sha256', issuer: universe.intermediate.certificate.subject, subject: distinguishedName({}),
      notBefore: START, notAfter: START + 1000, spki, extensions: [keyUsage(KEY_USAGE.digitalSignature)],
    });
    return { seal: { key: good, certificate, finish: async (bundle) => ({ ...bundle, certificate: assembleCertificate(tbs, 'ecdsa-p256-sha256', await universe.intermediate.signer.sign(tbs)) }) } };
  };
}

