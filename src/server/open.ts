import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Clock, Rng } from '../base/ports.ts';
import { issueSigningCertificate, type SigningIssuer, signingIssuer } from '../ca/signing.ts';
import { encodeTrustedRoot } from '../envelope/trustedRoot.ts';
import { type Authorities, openAuthorities } from '../keys/authorities.ts';
import { createPrehash } from '../keys/native.ts';
import { openCtLog } from '../log/ctLog.ts';
import { openLog } from '../log/log.ts';
import type { CtLog, Log } from '../log/types.ts';
import { imprintOf } from '../x509/imprint.ts';
import { allowAll, createRegistry } from '../registry/registry.ts';
import { localTemplates } from '../registry/templates.ts';
import { assertConstrainable, parseTrustDomain } from '../spiffe/trustDomain.ts';
import { certifyKey, type KeyUse } from '../store/certifiedKeys.ts';
import { fixIdentity, type Identity, readIdentity } from '../store/config.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { lockFolder } from '../store/lock.ts';
import { openLogStorage } from '../store/logStorage.ts';
import { trustedRoot } from '../trust/trustedRoot.ts';
import { type TimestampAuthority, timestampAuthority } from '../tsa/authority.ts';
import { loadTrust, type TrustMaterial } from '../verifier/trust.ts';
import { certificateEvidenceOf } from './binding.ts';
import type { Core, Logger } from './core.ts';
import { identityAuthorities } from './identityAuthorities.ts';
import { DEFAULT_TRUST_DOMAIN, type ServerOptions } from './options.ts';

const KEYS = 'keys';
const LOGS = 'logs';

export interface OpenServer {
  readonly core: Core;
  readonly tlog: Log;
  readonly ctLog: CtLog;
  readonly tsa: TimestampAuthority;
  readonly origins: Identity;
  readonly authorities: Authorities;
  /** trusted_root.json, for the authorities of now */
  readonly trustedRoot: () => Uint8Array;
  /** DER of a certificate that the CT log names by its SHA-256, hex */
  readonly issuer: (fingerprint: string) => Uint8Array | undefined;
  close(): Promise<void>;
}

export interface OpenPorts {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Logger;
  readonly version: string;
}

/**
 * Takes the data folder and opens everything in it; the first start makes it. Listens nowhere yet.
 * Throws FOLDER_LOCKED, CONFIG_CHANGED, KEY_*, LOG_CORRUPT, STORE_*, TRUST_DOMAIN_*, CA_EXPIRED, USAGE.
 */
export async function openServer(options: ServerOptions, ports: OpenPorts): Promise<OpenServer> {
  if (options.trustDomain !== undefined) assertConstrainable(parseTrustDomain(options.trustDomain));
  const lock = lockFolder(options.data);
  const closers: (() => unknown)[] = [() => lock.release()];
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    assertDatabaseKept(options.data);
    const db = openDatabase(options.data);
    closers.push(() => db.close());
    const known = readIdentity(db);
    if (known !== undefined) fixIdentity(db, { ...known, ...chosen(options, known) });
    const origins = known ?? newIdentity(options, ports.rng);
    const { clock, rng } = ports;
    const authorities = await openAuthorities({
      folder: join(options.data, KEYS), trustDomain: origins.trustDomain, clock, rng, mayCreate: known === undefined,
    });
    fixIdentity(db, origins);
    return await openParts({ db, authorities, origins, stepBearer: options.stepBearer ?? false }, ports, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Keys and logs without their database would become a new installation under old keys. Throws STORE_MISSING. */
function assertDatabaseKept(data: string): void {
  const path = join(data, 'stepseal.db');
  if (existsSync(path) || !existsSync(join(data, LOGS))) return;
  throw new StepsealError('STORE_MISSING', `${path} is missing, and the logs beside it belong to it`, { expected: 'the file, or an empty data folder for a new trust domain' });
}

interface Found {
  readonly db: Database;
  readonly authorities: Authorities;
  readonly origins: Identity;
  readonly stepBearer: boolean;
}

async function openParts({ db, authorities, origins, stepBearer }: Found, ports: OpenPorts, closers: (() => unknown)[], close: () => Promise<void>): Promise<OpenServer> {
  const { clock, rng, log, version } = ports;
  const { trustDomain, issuer, logOrigin, ctOrigin } = origins;
  const folder = join(db.path, '..', LOGS);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const warn = (error: unknown): void => log.warn({ error: String(error) }, 'log: a leftover stays');
  const tlog = await openLog({ storage: openLogStorage({ db, folder, log: 'tlog' }), signer: authorities.log, origin: logOrigin, warn });
  closers.push(() => tlog.close());
  const ctLog = await openCtLog({ storage: openLogStorage({ db, folder, log: 'ct' }), signer: authorities.ctLog, origin: ctOrigin, clock, warn });
  closers.push(() => ctLog.close());

  const prehash = createPrehash();
  const templates = localTemplates(stepBearer ? ['seal', 'bearer'] : ['seal']);
  const registry = createRegistry({ trustDomain, templates, allow: allowAll(templates, trustDomain) });
  const signing = whileSame(
    () => authorities.signingIntermediate(),
    (authority): SigningIssuer =>
      signingIssuer({
        trustDomain, authority, root: authorities.signingRoot.certificate, oidcIssuer: issuer, clock, rng,
        ctLog: { add: (submission) => ctLog.add(submission) },
        ctKey: authorities.ctLog,
      }),
  );
  const tsa = timestampAuthority({ authority: () => authorities.tsa(), clock, rng });
  const root = whileSame(() => editionOf(authorities), () => encodedRoot(origins, authorities));
  const trust = whileSame(root, (bytes): TrustMaterial => loadTrust(bytes));

  const core: Core = {
    trustDomain, issuer, version, db, clock, rng, prehash, log, registry, signing, trust,
    identity: identityAuthorities(authorities, { trustDomain, clock, rng }),
    sealing: {
      clock, prehash, logId: tlog.keyId,
      claimKey: (spki, spiffeId, attemptId) => claimFreshKey(db, { spki, spiffeId, attemptId }, clock.now()),
      certify: async (spki, { spiffeId, step }) => {
        const certificate = await issueSigningCertificate(signing(), {
          spiffeId, spki,
          evidence: certificateEvidenceOf('seal', step),
          ...(step && { attested: step.attested }),
        });
        return certificate.der;
      },
      // without certificates: verifiers have them in the trusted root
      stamp: (digest) => tsa.stamp({ imprint: imprintOf('sha256', digest), certReq: false }),
      append: (entries) => tlog.append(entries),
    },
  };
  const issuerOf = (fingerprint: string): Uint8Array | undefined =>
    [...authorities.history('signing-intermediate'), authorities.signingRoot.certificate].find(({ der }) => toHex(sha256(der)) === fingerprint)?.der;
  return { core, tlog, ctLog, tsa, origins, authorities, trustedRoot: root, issuer: issuerOf, close };
}

/** A Seal's key is made for it and used once. Throws KEY_ALREADY_CERTIFIED. */
function claimFreshKey(db: Database, use: KeyUse, now: number): void {
  if (certifyKey(db, use, now) === 'again') {
    throw new StepsealError('KEY_ALREADY_CERTIFIED', 'the key of this Seal was certified before: the request was sent twice', { expected: 'a fresh key' });
  }
}

/** What was asked for, where it was asked for; the rest is as it was. */
function chosen({ trustDomain, issuer }: ServerOptions, known: Identity): Pick<Identity, 'trustDomain' | 'issuer'> {
  return { trustDomain: trustDomain ?? known.trustDomain, issuer: issuer ?? known.issuer };
}

/** Origins are names for ever: a new installation gets new ones, whatever its address (DESIGN §6). */
function newIdentity({ trustDomain = DEFAULT_TRUST_DOMAIN, issuer }: ServerOptions, rng: Rng): Identity {
  const name = (): string => toHex(rng.bytes(4));
  const url = issuer ?? `https://${trustDomain}`;
  if (!isIssuer(url)) throw new StepsealError('USAGE', 'the issuer is not as it should be', { expected: 'a URL with http or https, without query, fragment, or a slash at the end', found: url });
  return { trustDomain, issuer: url, logOrigin: `log-${name()}.${trustDomain}`, ctOrigin: `ct-${name()}.${trustDomain}` };
}

/** OpenID Connect Discovery 1.0 section 3; compared as text, so it must have one spelling. */
function isIssuer(text: string): boolean {
  return URL.canParse(text) && /^https?:\/\/[^?#@\s]*[^/?#@\s]$/.test(text) && new URL(text).href.replace(/\/$/, '') === text;
}

/** Changes when a certificate is renewed. */
function editionOf(authorities: Authorities): string {
  return (['signing-intermediate', 'tsa'] as const).map((kind) => authorities.history(kind).length).join();
}

function encodedRoot({ trustDomain, logOrigin, ctOrigin }: Identity, authorities: Authorities): Uint8Array {
  const root = authorities.signingRoot.certificate;
  const start = root.notBefore;
  const chain = (kind: 'signing-intermediate' | 'tsa', uri: string) =>
    authorities.history(kind).map((certificate) => ({
      uri, certificates: [certificate.der, root.der], validFor: { start: certificate.notBefore, end: certificate.notAfter },
    }));
  return encodeTrustedRoot(
    trustedRoot({
      trustDomain,
      signing: chain('signing-intermediate', `https://ca.${trustDomain}`),
      timestamping: chain('tsa', `https://tsa.${trustDomain}`),
      tlogs: [{ origin: logOrigin, spki: authorities.log.spki, validFor: { start } }],
      ctlogs: [{ origin: ctOrigin, spki: authorities.ctLog.spki, validFor: { start } }],
    }),
  );
}

/** `make` again only when what it is made of is another one. */
function whileSame<K, V>(key: () => K, make: (key: K) => V): () => V {
  let last: { key: K; value: V } | undefined;
  return () => {
    const now = key();
    if (last === undefined || last.key !== now) last = { key: now, value: make(now) };
    return last.value;
  };
}
