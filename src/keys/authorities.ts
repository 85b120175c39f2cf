import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StepsealError } from '../base/errors.ts';
import type { Clock, Rng, Signer } from '../base/ports.ts';
import { certifyAuthority, pastHalfLife, type Authority } from '../ca/authority.ts';
import { assertConstrainable } from '../spiffe/trustDomain.ts';
import type { Certificate } from '../x509/certificate.ts';
import { authorityAt, certificatePath, keyPath, openCertifiedKey, renewCertifiedKey, type CertifiedKey, type StoredKind } from './certified.ts';
import { preparePrivateFolder } from './files.ts';
import { fingerprint, readRecord, writeRecord, type KeyRecord } from './record.ts';
import { generateSigner, loadOrCreateKey, type KeyFileAlgorithm } from './signer.ts';

/** Every authority and key of a trust domain. */
export interface Authorities {
  readonly trustDomain: string;
  /** true when this start made them */
  readonly created: boolean;
  readonly identityRoot: Authority;
  readonly signingRoot: Authority;
  /** of JWT-SVIDs, ES256 */
  readonly jwt: Signer;
  readonly log: Signer;
  readonly ctLog: Signer;
  /** its key lives in memory only (docs/design/0061) */
  svidCa(): Authority;
  /** The same object until it is renewed. Throws CA_EXPIRED, as tsa() does, when the clock stands outside of all its certificates. */
  signingIntermediate(): Authority;
  tsa(): Authority;
  /** every certificate that the key has had, oldest first: the trusted root lists them all */
  history(kind: 'signing-intermediate' | 'tsa'): readonly Certificate[];
  /** Renews what is past half of its life and answers what it renewed. To be called every few minutes, never twice at once. */
  renew(): Promise<RenewedKind[]>;
}

export type RenewedKind = 'svid-ca' | 'signing-intermediate' | 'tsa';

export interface AuthoritiesOptions {
  /** used by this process only: the data folder is locked */
  readonly folder: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly rng: Rng;
  /** false once anything else of the installation exists: then nothing is made, and what is missing is an error */
  readonly mayCreate: boolean;
  /** of the transparency log's key; the same at every start */
  readonly logAlgorithm?: KeyFileAlgorithm;
}

const CERTIFIED: readonly StoredKind[] = ['identity-root', 'signing-root', 'signing-intermediate', 'tsa'];
const PLAIN = ['jwt', 'ct-log', 'log'];
const RECORD = 'authorities.json';

/**
 * First start: makes keys and certificates, each file durable before the next, the record last. Every later start finds
 * exactly these. A folder that a crash left half made is completed, as nothing was given out before its record was
 * written; any other gap is an error that names the file. Throws KEY_MISSING, KEY_FOREIGN, KEY_INVALID, KEY_PERMISSIONS,
 * CERT_PROFILE, CA_EXPIRED, TRUST_DOMAIN_NOT_CONSTRAINABLE.
 */
export async function openAuthorities(options: AuthoritiesOptions): Promise<Authorities> {
  const { folder, trustDomain, clock, rng } = options;
  const making = () => ({ folder, trustDomain, rng, now: clock.now() });
  await preparePrivateFolder(folder);
  const record = await readRecord(join(folder, RECORD));
  assertConstrainable(trustDomain);
  await checkGaps(folder, record, options);

  const keys: Record<string, string> = {};
  const key = async (name: string, algorithm: KeyFileAlgorithm): Promise<Signer> => {
    const signer = await loadOrCreateKey(keyPath(folder, name), algorithm);
    keys[name] = fingerprint(signer);
    if (record && record.keys[name] !== keys[name]) {
      throw new StepsealError('KEY_FOREIGN', `${keyPath(folder, name)} is another key than the first start made`, { expected: record.keys[name] ?? 'no key', found: keys[name] });
    }
    return signer;
  };
  const certified = async (kind: StoredKind, issuer?: Authority): Promise<CertifiedKey> =>
    openCertifiedKey(kind, await key(kind, 'ecdsa-p256-sha256'), issuer, making());
  const root = async (kind: 'identity-root' | 'signing-root'): Promise<Authority> => authorityAt(await certified(kind), clock.now());

  // in this order, which filesOf states too
  const identityRoot = await root('identity-root');
  const signingRoot = await root('signing-root');
  let intermediate = await certified('signing-intermediate', signingRoot);
  let tsa = await certified('tsa', signingRoot);
  const jwt = await key('jwt', 'ecdsa-p256-sha256');
  const ctLog = await key('ct-log', 'ecdsa-p256-sha256');
  const log = await key('log', options.logAlgorithm ?? 'ed25519');
  if (!record) await writeRecord(join(folder, RECORD), { trustDomain, keys });

  const newSvidCa = (): Promise<Authority> =>
    certifyAuthority('svid-ca', { ...making(), signer: generateSigner('ecdsa-p256-sha256'), issuer: identityRoot });
  let svidCa = await newSvidCa();

  const renew = async (): Promise<RenewedKind[]> => {
    const before = { svidCa, intermediate, tsa };
    const now = clock.now();
    if (now < svidCa.certificate.notBefore || pastHalfLife(svidCa.certificate, now)) svidCa = await newSvidCa();
    intermediate = await renewCertifiedKey(intermediate, making());
    tsa = await renewCertifiedKey(tsa, making());
    const changed: [RenewedKind, boolean][] = [
      ['svid-ca', svidCa !== before.svidCa],
      ['signing-intermediate', intermediate !== before.intermediate],
      ['tsa', tsa !== before.tsa],
    ];
    return changed.filter(([, is]) => is).map(([kind]) => kind);
  };
  await renew();

  return {
    trustDomain, created: !record, identityRoot, signingRoot, jwt, log, ctLog, renew,
    svidCa: () => svidCa,
    signingIntermediate: () => authorityAt(intermediate, clock.now()),
    tsa: () => authorityAt(tsa, clock.now()),
    history: (kind) => (kind === 'tsa' ? tsa : intermediate).authorities.map(({ certificate }) => certificate),
  };
}

/** Files in the order in which they are made: a crash leaves a beginning of this list, and nothing else does. */
function filesOf(folder: string): string[] {
  return [...CERTIFIED.flatMap((name) => [keyPath(folder, name), certificatePath(folder, name)]), ...PLAIN.map((name) => keyPath(folder, name))];
}

async function checkGaps(folder: string, record: KeyRecord | undefined, { trustDomain, mayCreate }: AuthoritiesOptions): Promise<void> {
  if (record && record.trustDomain !== trustDomain) {
    throw new StepsealError('KEY_FOREIGN', `${join(folder, RECORD)} is of another trust domain`, { expected: trustDomain, found: record.trustDomain });
  }
  const files = filesOf(folder);
  const there = await Promise.all(files.map(async (path) => (await stat(path).catch(onlyMissing)) !== undefined));
  const first = there.indexOf(false);
  const complete = first === -1;
  const beginning = complete || !there.slice(first).includes(true);
  if (record ? complete : beginning && mayCreate) return;
  throw new StepsealError('KEY_MISSING', `${complete || (beginning && !record) ? join(folder, RECORD) : files[first]} is missing, and the installation has used it`, {
    expected: 'the file, or an empty data folder for a new trust domain',
  });
}

function onlyMissing(error: unknown): undefined {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
