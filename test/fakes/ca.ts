import { createHash } from 'node:crypto';
import type { Clock, Rng, Signer } from '../../src/base/ports.ts';
import { certifyAuthority, type Authority } from '../../src/ca/authority.ts';
import type { CtLog } from '../../src/ca/ct.ts';
import { signingIssuer, type SigningIssuer } from '../../src/ca/signing.ts';
import { svidIssuer, type SvidIssuer } from '../../src/ca/svid.ts';
import { generateSigner, type KeyFileAlgorithm } from '../../src/keys/signer.ts';

/** The same bytes at every run: SHA-256 of seed and counter. */
export function seededRng(seed: string): Rng {
  let counter = 0;
  return {
    bytes(length) {
      const out = Buffer.alloc(length);
      for (let at = 0; at < length; at += 32) createHash('sha256').update(`${seed} ${counter++}`).digest().copy(out, at);
      return out;
    },
  };
}

export type Submission = Parameters<CtLog['add']>[0];

/** A CT log that keeps what it was given, in memory. */
export function memoryCtLog(): CtLog & { readonly entries: Submission[] } {
  const entries: Submission[] = [];
  return {
    entries,
    add: (submission) => Promise.resolve({ leafIndex: entries.push(submission) - 1, timestamp: submission.timestamp }),
  };
}

export interface TestCa {
  readonly identityRoot: Authority;
  readonly svidCa: Authority;
  readonly signingRoot: Authority;
  readonly intermediate: Authority;
  readonly tsa: Authority;
  readonly ctKey: Signer;
  readonly ctLog: ReturnType<typeof memoryCtLog>;
  readonly svid: SvidIssuer;
  readonly signing: SigningIssuer;
}

/** Every authority of a trust domain, in memory. `now`: ms since the epoch, when they are made. */
export async function testCa(options: {
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly algorithm?: KeyFileAlgorithm;
  /** key of an authority; fresh ones by default */
  readonly key?: (name: string) => Signer;
}): Promise<TestCa> {
  const { trustDomain, clock, rng } = options;
  const key = options.key ?? (() => generateSigner(options.algorithm ?? 'ecdsa-p256-sha256'));
  const make = { trustDomain, rng, now: clock.now() };
  const identityRoot = await certifyAuthority('identity-root', { ...make, signer: key('identity-root') });
  const svidCa = await certifyAuthority('svid-ca', { ...make, signer: key('svid-ca'), issuer: identityRoot });
  const signingRoot = await certifyAuthority('signing-root', { ...make, signer: key('signing-root') });
  const intermediate = await certifyAuthority('signing-intermediate', { ...make, signer: key('intermediate'), issuer: signingRoot });
  const tsa = await certifyAuthority('tsa', { ...make, signer: key('tsa'), issuer: signingRoot });
  const ctKey = generateSigner('ecdsa-p256-sha256');
  const ctLog = memoryCtLog();
  const common = { trustDomain, clock, rng };
  return {
    identityRoot, svidCa, signingRoot, intermediate, tsa, ctKey, ctLog,
    svid: svidIssuer({ ...common, authority: svidCa }),
    signing: signingIssuer({ ...common, authority: intermediate, root: signingRoot.certificate, oidcIssuer: `https://${trustDomain}`, ctLog, ctKey }),
  };
}
