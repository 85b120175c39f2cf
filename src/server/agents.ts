import { toHex } from '../base/hex.ts';
import { StepsealError } from '../base/errors.ts';
import { fromUtf8 } from '../base/bytes.ts';
import { issueX509Svid, type X509Svid } from '../ca/svid.ts';
import { Agent as AgentService } from '../rpc/gen/spire/api/server/agent/v1/agent_pb.js';
import { Bundle as BundleService } from '../rpc/gen/spire/api/server/bundle/v1/bundle_pb.js';
import { implement, type Implementation } from '../rpc/handlers.ts';
import { parseSpiffeId } from '../spiffe/id.ts';
import { noteAgentSvid } from '../store/agents.ts';
import { redeemJoinToken } from '../store/joinTokens.ts';
import { parseCsr } from '../x509/csr.ts';
import { AGENT_SVID_SECONDS, type Core, REFRESH_HINT_SECONDS } from './core.ts';
import { type Peer, type PeerPorts, requireAgent } from './peers.ts';

/** `spire.api.server.agent.v1.Agent`, the methods that our agent calls. */
export function agentService(core: Core, peers: PeerPorts): Implementation<Peer> {
  return implement(AgentService, {
    async attestAgent(receive, call, send) {
      const first = await receive();
      const params = first?.step.case === 'params' ? first.step.value : undefined;
      const { data } = params ?? {};
      if (data?.type !== 'join_token') {
        throw new StepsealError('ATTESTATION_INVALID', 'the first message is no attestation that this server takes', {
          expected: 'params with data of type join_token',
          found: data?.type ?? 'none',
        });
      }
      const { spki } = parseCsr(params?.params?.csr ?? new Uint8Array());
      // a random id: the token itself is a secret until it is used, and after that still a thing that logs should not hold
      const id = `spiffe://${core.trustDomain}/spire/agent/join_token/${toHex(core.rng.bytes(16))}`;
      redeemJoinToken(core.db, { token: fromUtf8(data.payload), now: core.clock.now(), agentId: id });
      const svid = await issueAgentSvid(core, id, spki);
      core.log.info({ agent: id, remote: call.peer.remote }, 'agent joined');
      await send({ step: { case: 'result', value: { svid, reattestable: false } } });
    },
    async renewAgent(request, call) {
      const agent = requireAgent(call.peer, peers);
      const { spki } = parseCsr(request.params?.csr ?? new Uint8Array());
      return { svid: await issueAgentSvid(core, agent.id, spki) };
    },
    // SPIRE's other methods are not ours (docs/design/0080-one-server.md)
  });
}

/** `spire.api.server.bundle.v1.Bundle/GetBundle`: public material, for anybody. */
export function bundleService(core: Core): Implementation<Peer> {
  return implement(BundleService, {
    getBundle: () => ({
      trustDomain: core.trustDomain,
      x509Authorities: core.identity.roots.map(({ der }) => ({ asn1: der })),
      jwtAuthorities: core.identity.jwtAuthorities.map(({ kid, spki }) => ({ publicKey: spki, keyId: kid })),
      refreshHint: BigInt(REFRESH_HINT_SECONDS),
      sequenceNumber: BigInt(core.identity.sequence),
    }),
  });
}

async function issueAgentSvid(core: Core, id: string, spki: Uint8Array): Promise<SpireSvid> {
  const svid = await issueX509Svid(core.identity.svids(), { spiffeId: id, spki, seconds: AGENT_SVID_SECONDS });
  noteAgentSvid(core.db, { id, serial: toHex(svid.leaf.serial), notAfter: svid.leaf.notAfter });
  return spireSvid(id, svid);
}

interface SpireSvid {
  readonly certChain: Uint8Array[];
  readonly id: { readonly trustDomain: string; readonly path: string };
  /** s since the epoch */
  readonly expiresAt: bigint;
}

function spireSvid(id: string, { chain, leaf }: X509Svid): SpireSvid {
  const { trustDomain, path } = parseSpiffeId(id);
  return { certChain: [...chain], id: { trustDomain, path }, expiresAt: BigInt(Math.floor(leaf.notAfter / 1000)) };
}
