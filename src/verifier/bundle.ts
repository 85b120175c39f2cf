import { sha256 } from '../base/bytes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Prehash } from '../base/ports.ts';
import { formatTimeMs } from '../base/time.ts';
import { checkIdentity, checkIssuer, checkSct, type ExpectedIdentity, trustedIssuer, trustedTimes } from './certificate.ts';
import { type ArtifactDigests, checkSignature, checkSubject, signedContent } from './content.ts';
import { counted } from './counted.ts';
import { checkCheckpoint, checkEntry, checkInclusion, type KnownCheckpoint, trustedLogOf } from './log.ts';
import { openBundle, type OpenedBundle } from './opened.ts';
import type { TrustMaterial } from './trust.ts';
import { check, combine, type Established, failed, type Link, notChecked, type Verdict } from './verdict.ts';

export interface Context {
  readonly trust: TrustMaterial;
  /** needed to verify a signature over an artifact that is known by digest only */
  readonly prehash?: Prehash;
  /** newest checkpoints that this verifier remembers */
  readonly known?: readonly KnownCheckpoint[];
}

export interface Expectation {
  /** `any` must be asked for */
  readonly identity: ExpectedIdentity;
  /** OIDC issuer URL */
  readonly issuer?: string;
  readonly predicateType?: string;
  readonly artifact?: ArtifactDigests;
}

/**
 * Signature verdict on one bundle: who signed what, and when. It says nothing about how the artifact came to be.
 * Never throws for hostile bytes; codes are in the verdict.
 */
export function verifyBundle(bytes: Uint8Array, expectation: Expectation, context: Context, name = 'bundle'): Verdict {
  try {
    return checkBundle(openBundle(bytes, name), expectation, context);
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return combine('bundle', '', [failed('format', error)], { of: name, evidence: { bundle: toHex(sha256(bytes)) } });
  }
}

/** The order is that of the Sigstore client specification, section 4: time, path, SCT, entry, inclusion, checkpoint, signature; then who and what. */
export function checkBundle(opened: OpenedBundle, expectation: Expectation, context: Context): Verdict {
  const { trust, prehash, known = [] } = context;
  const links: Verdict[] = [];
  /** one check after another; undefined and `not checked` where `needs` failed */
  const step = <T>(link: Link, needs: readonly (readonly [Link, unknown])[], run: () => T, tell: (value: T) => Established | string): T | undefined => {
    const missing = needs.find(([, value]) => value === undefined);
    if (missing) {
      links.push(notChecked(link, missing[0]));
      return undefined;
    }
    let value: T | undefined;
    links.push(check(link, () => tell((value = run()))));
    return links.at(-1)!.status === 'ok' ? value : undefined;
  };

  const times = step('time', [], () => trustedTimes(opened, trust), (found) => `signed at ${found.map(formatTimeMs).join(', ')}`);
  const issuer = step('certificate', [['time', times]], () => trustedIssuer(opened, trust, times!), () => 'issued by a trusted authority, valid at that time');
  step('transparency', [['certificate', issuer]], () => checkSct(opened, issuer!, trust), (text) => text);
  const content = step('artifact', [], () => signedContent(opened, expectation.artifact), ({ entry }) => `the signature is over ${toHex(entry.digest)}`);
  for (const entry of opened.bundle.tlogEntries) {
    const log = step('log', [['time', times], ['artifact', content]], () => {
      const trusted = trustedLogOf(entry, trust, times!);
      checkEntry(entry, content!.entry);
      return trusted;
    }, ({ key }) => `entry ${entry.logIndex} of ${key.origin} is about this signature`);
    step('inclusion', [['log', log]], () => checkInclusion(entry), () => `in the tree of ${counted(entry.inclusionProof.treeSize, 'entry', 'entries')}`);
    step('checkpoint', [['log', log]], () => checkCheckpoint(entry, log!, known), ({ origin }) => `signed by ${origin}`);
  }
  if (opened.bundle.tlogEntries.length === 0) links.push(failed('log', new StepsealError('TLOG_MISSING', 'the bundle has no log entry')));
  step('signature', [['artifact', content]], () => checkSignature(opened, content!, prehash), () => 'by the key of the certificate');
  step('identity', [], () => checkIdentity(opened, expectation.identity), ({ uri }) => uri);
  step('issuer', [], () => checkIssuer(opened, expectation.issuer), (text) => text);
  step('subject', [], () => checkSubject(opened, expectation.artifact, expectation.predicateType), (text) => text);
  return combine('bundle', `signed by ${opened.uri}`, links, { of: opened.name, evidence: { bundle: opened.sha256, content: opened.contentSha256 } });
}
