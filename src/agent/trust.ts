import { concat, equalBytes } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import type { Trust as TrustMessage } from '../rpc/gen/stepseal/node_pb.js';
import { encodeSpiffeBundle, parseSpiffeBundle, type SpiffeBundle } from '../spiffe/bundleDocument.ts';
import type { JwtAuthority } from '../spiffe/jwtValidate.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { authorityTrustDomain } from '../x509/leaf.ts';

/** The keys of the trust domain, in the forms that are needed; a form that has not changed is the same object. */
export interface Trust {
  readonly trustDomain: string;
  readonly bundle: SpiffeBundle;
  readonly roots: readonly Certificate[];
  /** the roots, DER, one after the other */
  readonly x509: Uint8Array;
  readonly jwtAuthorities: readonly JwtAuthority[];
  /** JWK Set of the JWT keys only */
  readonly jwks: Uint8Array;
}

/**
 * A SPIFFE bundle document taken apart; the trust domain is the one that its roots name. Throws SPIFFE_BUNDLE_INVALID and
 * what parseSpiffeBundle and parseCertificate throw.
 */
export function readTrust(document: Uint8Array): Trust {
  // which trust domain it is of, the document does not say: the roots do
  const { x509Authorities } = parseSpiffeBundle(document, 'unknown');
  const names = [...new Set(x509Authorities.map((der) => authorityTrustDomain(parseCertificate(der))))];
  const [trustDomain] = names;
  if (names.length !== 1 || trustDomain === undefined) {
    throw new StepsealError('SPIFFE_BUNDLE_INVALID', 'the roots of the bundle do not name one trust domain', {
      expected: 'roots that carry one path-less SPIFFE ID', found: names.map((name) => name ?? 'none').join(', ') || 'no root',
    });
  }
  return trustOf(parseSpiffeBundle(document, trustDomain));
}

/** What the server pushes. Throws as readTrust, and TRUST_DOMAIN_CA_MISMATCH for another trust domain. */
export function trustOfMessage(message: TrustMessage, trustDomain: string): Trust {
  if (message.trustDomain !== trustDomain) {
    throw new StepsealError('TRUST_DOMAIN_CA_MISMATCH', 'the server speaks of another trust domain', { expected: trustDomain, found: message.trustDomain });
  }
  const { jwtAuthorities } = parseSpiffeBundle(message.jwtAuthorities, trustDomain);
  return readTrust(encodeSpiffeBundle({
    x509Authorities: message.x509Authorities, jwtAuthorities, sequence: Number(message.sequence), refreshHint: Number(message.refreshHintSeconds),
  }));
}

function trustOf(bundle: SpiffeBundle): Trust {
  return {
    trustDomain: bundle.trustDomain,
    bundle,
    roots: bundle.x509Authorities.map(parseCertificate),
    x509: concat(...bundle.x509Authorities),
    jwtAuthorities: bundle.jwtAuthorities,
    jwks: encodeSpiffeBundle({ x509Authorities: [], jwtAuthorities: bundle.jwtAuthorities }),
  };
}

export interface TrustStore {
  current(): Trust;
  /** Takes what the server says now and answers what changed. Throws TRUST_ROLLBACK for an older state than the kept one. */
  take(next: Trust): Promise<TrustChange>;
}

type TrustChange = 'none' | 'roots' | 'keys';

/** `save` makes a state durable before it is used. */
export function createTrustStore(first: Trust, save: (trust: Trust) => Promise<void>): TrustStore {
  let current = first;
  return {
    current: () => current,
    async take(next) {
      const [before, now] = [current.bundle.sequence ?? 0, next.bundle.sequence ?? 0];
      if (now < before) throw new StepsealError('TRUST_ROLLBACK', 'the server has an older bundle than it had before', { expected: `sequence ${before} or later`, found: `${now}` });
      const sameRoots = equalBytes(next.x509, current.x509);
      const sameKeys = equalBytes(next.jwks, current.jwks);
      if (sameRoots && sameKeys && next.bundle.sequence === current.bundle.sequence) return 'none';
      await save(next);
      current = {
        ...next,
        ...(sameRoots && { roots: current.roots, x509: current.x509 }),
        ...(sameKeys && { jwtAuthorities: current.jwtAuthorities, jwks: current.jwks }),
      };
      return sameRoots ? (sameKeys ? 'none' : 'keys') : 'roots';
    },
  };
}
