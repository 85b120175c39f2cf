import { StepsealError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Clock } from '../base/ports.ts';
import type { TlsPeer } from '../rpc/tls.ts';
import { parseSpiffeId } from '../spiffe/id.ts';
import { findAgent } from '../store/agents.ts';
import type { Database } from '../store/database.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { verifyCertificateChain } from '../x509/path.ts';

/** Who is on an mTLS connection: an agent with a valid SVID, or somebody who has none yet. */
export type Peer =
  | { readonly kind: 'agent'; readonly id: string; readonly serial: string; readonly notAfter: number; readonly remote: string }
  | { readonly kind: 'anonymous'; readonly remote: string };

export type AgentPeer = Extract<Peer, { kind: 'agent' }>;

export interface PeerPorts {
  readonly db: Database;
  readonly clock: Clock;
  readonly trustDomain: string;
  readonly identityRoots: readonly Certificate[];
}

const AGENT_PATH = ['spire', 'agent'];

/**
 * Checks the certificates of a new connection. None is fine (AttestAgent and GetBundle need none); a chain that is there
 * must be an agent's X509-SVID of this trust domain. Throws AGENT_REQUIRED, and what path validation throws.
 */
export function admitPeer(peer: TlsPeer, { clock, trustDomain, identityRoots }: PeerPorts): Peer {
  const [leaf, ...intermediates] = peer.chain.map(parseCertificate);
  if (leaf === undefined) return { kind: 'anonymous', remote: peer.remote };
  verifyCertificateChain({ leaf, intermediates, roots: [...identityRoots], time: clock.now(), purpose: 'svid', trustDomain });
  const id = parseSpiffeId(leaf.subjectAltName!.uris[0]!);
  if (!AGENT_PATH.every((segment, index) => id.segments[index] === segment)) {
    throw new StepsealError('AGENT_REQUIRED', 'this port is for agents', { expected: `spiffe://${trustDomain}/spire/agent/…`, found: id.uri });
  }
  return { kind: 'agent', id: id.uri, serial: toHex(leaf.serial), notAfter: leaf.notAfter, remote: peer.remote };
}

/**
 * The agent behind a call, now: still known, its SVID not expired on a connection that has been open for long.
 * Throws AGENT_REQUIRED, AGENT_UNKNOWN.
 */
export function requireAgent(peer: Peer, { db, clock }: PeerPorts): AgentPeer {
  if (peer.kind !== 'agent') throw new StepsealError('AGENT_REQUIRED', 'only an agent that has joined may call this');
  if (findAgent(db, peer.id) === undefined) throw new StepsealError('AGENT_UNKNOWN', 'the server does not know this agent', { found: peer.id });
  if (clock.now() > peer.notAfter) throw new StepsealError('AGENT_REQUIRED', 'the SVID of this connection has expired', { expected: 'a new connection with the renewed SVID' });
  return peer;
}
