import { isStepsealError, StepsealError } from '../base/errors.ts';
import type { Clock } from '../base/ports.ts';
import { connectTls, type Connection } from '../rpc/client.ts';
import type { TlsIdentity } from '../rpc/tls.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { identityOf } from '../x509/leaf.ts';
import { verifyCertificateChain } from '../x509/path.ts';
import type { Trust } from './trust.ts';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** A connection to the server, pinned: an X509-SVID of this trust domain, and exactly the server's name in it. */
export function connectServer(server: ServerAddress, identity: TlsIdentity | undefined, trust: Trust, clock: Clock, keepaliveMs = 0): Connection {
  const expected = `spiffe://${trust.trustDomain}/spire/server`;
  return connectTls({
    ...server,
    identity,
    keepaliveMs,
    roots: trust.roots.map(({ der }) => der),
    verifyServer(chain) {
      const [leaf, ...intermediates] = chain.map(parseCertificate);
      if (leaf === undefined) throw new StepsealError('SERVER_IDENTITY', 'the server shows no certificate', { expected });
      verifyCertificateChain({ leaf, intermediates, roots: trust.roots, time: clock.now(), purpose: 'svid', trustDomain: trust.trustDomain });
      const { uri } = identityOf(leaf);
      if (uri !== expected) throw new StepsealError('SERVER_IDENTITY', 'whoever answers at the server\'s address is not the server', { expected, found: uri });
    },
  });
}

/** OpenSSL looks before verifyServer can, and its refusal reaches us as a connection that failed. */
export function asServerIdentity(error: unknown): unknown {
  const refused = isStepsealError(error) && error.code === 'SERVICE_UNREACHABLE' && /\bcertificate\b/.test(error.message);
  return refused ? new StepsealError('SERVER_IDENTITY', 'the certificate of whoever answers at the server\'s address is not below the roots of the bundle, or not valid now', { cause: error }) : error;
}
