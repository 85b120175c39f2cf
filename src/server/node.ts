import { issueX509Svid } from '../ca/svid.ts';
import { Node } from '../rpc/gen/stepseal/node_pb.js';
import { implement, type Implementation } from '../rpc/handlers.ts';
import { encodeSpiffeBundle } from '../spiffe/bundleDocument.ts';
import { signJwtSvid } from '../spiffe/jwtSvid.ts';
import { parseSpki } from '../der/spki.ts';
import { closeStepAttempt, openStepAttempt } from './attempts.ts';
import { bindingOf, certificateEvidenceOf } from './binding.ts';
import { type Core, JWT_SVID_SECONDS, REFRESH_HINT_SECONDS } from './core.ts';
import { identityOf, knownCaller } from './identities.ts';
import { nodeSeal } from './nodeSeal.ts';
import { type Peer, type PeerPorts, requireAgent } from './peers.ts';

/** stepseal.node.v1.Node: every method is for agents, over mTLS. Streams end when the server is `stopping`. */
export function nodeService(core: Core, peers: PeerPorts, stopping: AbortSignal): Implementation<Peer> {
  return implement(Node, {
    openAttempt: (request, call) => openStepAttempt(core, requireAgent(call.peer, peers), request),

    identify(caller, call) {
      const { facts } = knownCaller(core, requireAgent(call.peer, peers), caller);
      return { identities: core.registry.identify(facts).map(({ id, hint, roads }) => ({ spiffeId: id.uri, hint, roads: [...roads] })) };
    },

    async issueX509Svid(request, call) {
      const { facts, attempt } = knownCaller(core, requireAgent(call.peer, peers), request.caller);
      parseSpki(request.publicKey);
      const issuer = core.identity.svids();
      // a step's SVID names the attempt, as its tokens do; its key is in the step's hands
      const evidence = attempt && certificateEvidenceOf('in-step', bindingOf(core.trustDomain, attempt));
      const svids = core.registry.identify(facts).map(async ({ id, hint, svidSeconds }) => {
        const { chain, leaf } = await issueX509Svid(issuer, { spiffeId: id.uri, spki: request.publicKey, seconds: svidSeconds, evidence });
        return { spiffeId: id.uri, hint, chain: [...chain], notBeforeMs: BigInt(leaf.notBefore), notAfterMs: BigInt(leaf.notAfter) };
      });
      return { svids: await Promise.all(svids) };
    },

    async issueJwtSvid(request, call) {
      const { facts, attempt } = knownCaller(core, requireAgent(call.peer, peers), request.caller);
      const identities = request.spiffeId === '' ? core.registry.identify(facts) : [identityOf(core, facts, request.spiffeId)];
      const now = core.clock.now();
      const svids = identities.map(async ({ id, hint, svidSeconds }) => {
        const expires = now + Math.min(JWT_SVID_SECONDS, svidSeconds) * 1000;
        const token = await signJwtSvid({
          ...core.identity.jwt,
          sub: id.uri,
          aud: request.audience,
          iss: core.issuer,
          iat: now,
          exp: expires,
          ...(attempt && { claims: { stepseal_attempt: attempt.id } }),
        });
        return { spiffeId: id.uri, hint, token, issuedMs: BigInt(now), expiresMs: BigInt(expires) };
      });
      return { svids: await Promise.all(svids) };
    },

    seal: (request, call) => nodeSeal(core, requireAgent(call.peer, peers), request),

    closeAttempt(request, call) {
      closeStepAttempt(core, requireAgent(call.peer, peers), request);
      return {};
    },

    async watchTrust(_request, call, send) {
      requireAgent(call.peer, peers);
      await send(trustOf(core));
      // roots and JWT keys stay while a server runs; a new one ends the stream, and the agent asks again
      await ended(AbortSignal.any([call.signal, stopping]));
    },
  });
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}

function trustOf({ trustDomain, issuer, identity }: Core) {
  return {
    trustDomain,
    issuer,
    x509Authorities: identity.roots.map(({ der }) => der),
    jwtAuthorities: encodeSpiffeBundle({ x509Authorities: [], jwtAuthorities: identity.jwtAuthorities }),
    sequence: BigInt(identity.sequence),
    refreshHintSeconds: BigInt(REFRESH_HINT_SECONDS),
  };
}
