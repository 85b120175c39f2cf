import { create } from '@bufbuild/protobuf';
import type { Peer } from '../attestor/peer.ts';
import { fromUtf8, utf8 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { canonicalJson } from '../base/json.ts';
import type { Reader } from '../base/read.ts';
import { createApp, type HttpApp } from '../http/app.ts';
import { readJson } from '../http/body.ts';
import { type Item, ItemSchema } from '../rpc/gen/stepseal/seal_pb.js';
import type { SealedContent } from '../signer/seal.ts';
import { inSlices } from '../signer/slices.ts';
import type { AgentCore } from './core.ts';
import { noIdentity } from './refusals.ts';
import type { Sealer } from './sealer.ts';
import { microseconds } from './sealService.ts';

const BODY_LIMIT = 4 * 1024 * 1024;
/** for tokens, and of callers that are neither step nor operator */
const STRANGER_LIMIT = 64 * 1024;

/** The seal socket: Seal, tokens and the caller's names for programs that speak HTTP and JSON (docs/formats.md, Seal socket). */
export function sealApp(core: AgentCore, sealer: Sealer): HttpApp<Peer> {
  const app = createApp<Peer>((error, path) => core.log.error({ path, error: String(error) }, 'a call on the seal socket failed'));

  const limitOf = (peer: Peer): number => (core.callers.crowdOf(peer).kind === 'stranger' ? STRANGER_LIMIT : BODY_LIMIT);

  app.post('/v1/seal', async (context) => {
    const begun = performance.now();
    const body = await readJson(context, limitOf(context.env.peer));
    const items = body.only('items').at('items').array().map(itemOf);
    const sealed = await sealer(context.env.peer, items);
    const text = await inSlices(sealed.items, itemJson);
    const { spiffeId } = sealed;
    return context.body(
      `{"spiffeId":${JSON.stringify(spiffeId)},"items":[${text.join(',')}],"elapsedUs":"${microseconds(begun)}"}`, 200, { 'content-type': 'application/json' },
    );
  });

  app.post('/v1/token', async (context) => {
    const body = (await readJson(context, STRANGER_LIMIT)).only('audience', 'spiffeId');
    const audience = body.at('audience').array().map((name) => name.string('an audience', /./));
    const spiffeId = body.at('spiffeId').optional((id) => id.string()) ?? '';
    const { svids } = await core.jwtSvids.of(await core.callerOf(context.env.peer), audience, spiffeId);
    return context.json({ svids: svids.map(({ spiffeId: id, token, hint }) => ({ spiffeId: id, token, hint })) });
  });

  app.get('/v1/identity', async (context) => {
    const { caller } = await core.callerOf(context.env.peer);
    const { identities } = await core.server.node().identify(caller);
    if (identities.length === 0) throw noIdentity();
    return context.json({ identities: identities.map(({ spiffeId, hint, roads }) => ({ spiffeId, hint, roads })) });
  });
  return app;
}

/** The bundle is JSON as it is: parsed to be written again, a thousand of them would keep other callers waiting. */
function itemJson({ name, sha256, bundle, logIndex }: SealedContent): string {
  const rest = JSON.stringify({ name, sha256: toHex(sha256), logIndex: String(logIndex) });
  return `${rest.slice(0, -1)},"bundle":${fromUtf8(bundle)}}`;
}

function itemOf(reader: Reader): Item {
  reader.only('name', 'sha256', 'path', 'statement');
  const name = reader.at('name').optional((text) => text.string()) ?? '';
  const given = (['sha256', 'path', 'statement'] as const).filter((field) => reader.at(field).present);
  if (given.length !== 1) reader.fail('exactly one of sha256, path and statement');
  const value = reader.at(given[0]!);
  if (given[0] !== 'statement') return create(ItemSchema, { name, what: { case: given[0]!, value: value.string() } });
  value.only('predicateType', 'predicate', 'subjects');
  const subjects = value.at('subjects').array().map((subject) => ({ name: subject.only('name', 'sha256').at('name').string(), sha256: subject.at('sha256').string() }));
  const predicate = utf8(canonicalJson(value.at('predicate').object()));
  return create(ItemSchema, { name, what: { case: 'statement', value: { predicateType: value.at('predicateType').string(), predicate, subjects } } });
}
