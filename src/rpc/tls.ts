import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { encodePem } from '../der/pem.ts';
import { listenTcp } from './listen.ts';
import type { RpcServer } from './server.ts';
import type { Listener } from './unix.ts';

/** A TLS identity: leaf first, DER; the key as PKCS#8 DER. */
export interface TlsIdentity {
  readonly chain: readonly Uint8Array[];
  readonly key: Uint8Array;
}

/** Who is on the other end of a TLS connection: its certificates, leaf first, DER; none when it sent none. */
export interface TlsPeer {
  readonly chain: readonly Uint8Array[];
  /** address and port, for logs */
  readonly remote: string;
}

export interface TlsOptions<P> {
  readonly host: string;
  /** 0: any free one */
  readonly port: number;
  readonly identity: TlsIdentity;
  /** Checks the peer's certificates (OpenSSL has only checked that it holds the key); a throw closes the connection. */
  readonly admit: (peer: TlsPeer) => P;
  readonly onRefused: (error: unknown) => void;
}

export interface TlsListener extends Listener {
  readonly port: number;
  /** New connections see the new identity. */
  renew(identity: TlsIdentity): void;
}

/** Whoever reaches the port can open them; what is beyond is closed at once, before descriptors run out for everything else. */
const MAX_CONNECTIONS = 1000;

/**
 * gRPC over TLS 1.3. Client certificates are asked for, not demanded: which method needs which peer is the service's
 * matter. Throws PORT_TAKEN, ADDRESS_UNUSABLE.
 */
export async function serveTls<P>(rpc: Pick<RpcServer<P>, 'inject'>, options: TlsOptions<P>): Promise<TlsListener> {
  const settings = (identity: TlsIdentity) => ({
    ...pems(identity),
    minVersion: 'TLSv1.3' as const,
    // a resumed session would not carry the peer's chain
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  const server = createServer({ ...settings(options.identity), requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['h2'], handshakeTimeout: 10_000 });
  server.maxConnections = MAX_CONNECTIONS;
  // connections without a finished handshake are nobody else's to close
  const shaking = new Map<string, Socket>();
  const keyOf = (socket: Socket): string => `${socket.remoteAddress}:${socket.remotePort}`;
  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket);
    shaking.set(key, socket);
    socket.once('close', () => shaking.delete(key));
  });
  server.on('secureConnection', (socket) => {
    shaking.delete(keyOf(socket));
    socket.on('error', () => socket.destroy());
    try {
      rpc.inject(socket, options.admit({ chain: peerChain(socket), remote: `${socket.remoteAddress}:${socket.remotePort}` }));
    } catch (error) {
      socket.destroy();
      options.onRefused(error);
    }
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const port = await listenTcp(server, options.host, options.port);
  return {
    port,
    renew: (identity) => server.setSecureContext(settings(identity)),
    close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const socket of shaking.values()) socket.destroy();
      return closed;
    },
  };
}

export function secureContext(identity: TlsIdentity | undefined, roots: readonly Uint8Array[]): ReturnType<typeof createSecureContext> {
  return createSecureContext({ ...(identity && pems(identity)), ca: roots.map(certificatePem), minVersion: 'TLSv1.3' });
}

/** The certificates that the other end sent, as far as they chain; leaf first, DER. */
export function peerChain(socket: TLSSocket): Uint8Array[] {
  return chainOf(socket.getPeerCertificate(true));
}

export function chainOf(leaf: DetailedPeerCertificate | undefined): Uint8Array[] {
  const chain: Uint8Array[] = [];
  const seen = new Set<string>();
  for (let at: DetailedPeerCertificate | undefined = leaf; at?.raw !== undefined && !seen.has(at.fingerprint256); at = at.issuerCertificate) {
    seen.add(at.fingerprint256);
    chain.push(new Uint8Array(at.raw));
  }
  return chain;
}

function pems(identity: TlsIdentity): { cert: string; key: string } {
  return { cert: identity.chain.map(certificatePem).join(''), key: encodePem('PRIVATE KEY', identity.key) };
}

function certificatePem(der: Uint8Array): string {
  return encodePem('CERTIFICATE', der);
}
