import type { Peer } from '../attestor/peer.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { SpiffeWorkloadAPI } from '../rpc/gen/workload_pb.js';
import { type Call, implement, type Implementation } from '../rpc/handlers.ts';
import { type JwtSvid, validateJwtSvid } from '../spiffe/jwtValidate.ts';
import type { AgentCore } from './core.ts';
import { type PushPorts, pushStates } from './push.ts';

const HEADER = 'workload.spiffe.io';
const never = (): boolean => false;

/** The SPIFFE Workload API (SPIFFE_Workload_API.md sections 5 and 6): every X.509 and JWT method. */
export function workloadApi(core: AgentCore, push: PushPorts): Implementation<Peer> {
  const { trust, x509Svids, jwtSvids, callerOf, trustDomain } = core;
  const domain = `spiffe://${trustDomain}`;
  return implement(SpiffeWorkloadAPI, {
    fetchX509SVID: (_request, call, send) =>
      pushStates(call, send, async (caller) => {
        const issued = await x509Svids.of(caller);
        const { x509 } = trust.current();
        return {
          message: { svids: issued.svids.map(({ spiffeId, hint, chain }) => ({ spiffeId, hint, x509Svid: chain, x509SvidKey: issued.key, bundle: x509 })) },
          parts: [issued, x509],
          due: () => x509Svids.due(caller, issued),
        };
      }, push),

    // bundles are public: a caller must be known here, but needs no identity (docs/design/0093)
    fetchX509Bundles: (_request, call, send) =>
      pushStates(call, send, async () => {
        const { x509 } = trust.current();
        return { message: { bundles: { [domain]: x509 } }, parts: [x509], due: never };
      }, push),

    fetchJWTBundles: (_request, call, send) =>
      pushStates(call, send, async () => {
        const { jwks } = trust.current();
        return { message: { bundles: { [domain]: jwks } }, parts: [jwks], due: never };
      }, push),

    async fetchJWTSVID({ audience, spiffeId }, { peer }) {
      const caller = await callerOf(peer);
      const { svids } = await jwtSvids.of(caller, audience, spiffeId);
      if ((await callerOf(peer)).key !== caller.key) throw new StepsealError('PEER_GONE', 'the calling process became another program during the call');
      return { svids: svids.map(({ spiffeId: id, hint, token }) => ({ spiffeId: id, hint, svid: token })) };
    },

    async validateJWTSVID({ audience, svid }, { peer }) {
      if (audience === '' || svid === '') throw new StepsealError('WORKLOAD_REQUEST', 'audience and svid must be specified');
      await callerOf(peer);
      const { id, claims } = validated(() => validateJwtSvid(svid, { keys: trust.current().jwtAuthorities, audience, now: core.clock.now(), trustDomain }));
      return { spiffeId: id.uri, claims };
    },
  }, requireHeader);
}

/** SPIFFE_Workload_Endpoint.md section 3: exactly `true`; it keeps a forged HTTP request from reaching the API. */
function requireHeader({ metadata }: Call<Peer>): void {
  const values = metadata.get(HEADER);
  if (values.length !== 1 || values[0] !== 'true') {
    throw new StepsealError('WORKLOAD_HEADER', 'security header missing from request', { expected: `metadata ${HEADER}: true` });
  }
}

/** A bad token is a bad argument here, whatever is wrong with it: InvalidArgument (section 5.2.3). */
function validated(validate: () => JwtSvid): JwtSvid {
  try {
    return validate();
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    throw new StepsealError('JWT_SVID_INVALID', `${error.code}: ${error.message}`, { cause: error });
  }
}
