import { fromJson, toJson } from '@bufbuild/protobuf';
import { parseJson, type JsonObject } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { Seal, SealRequestSchema, SealResponseSchema } from '../rpc/gen/stepseal/seal_pb.js';
import { withAdminConnection } from './adminSocket.ts';
import type { Io } from './command.ts';

/**
 * Seals at the server's admin socket, as the person there. `items` as on the agent's seal socket, digests and statements
 * only; the answer has the same shape too (docs/formats.md, Seal socket).
 */
export async function sealAtServer(items: readonly JsonObject[], io: Io): Promise<Reader> {
  const request = fromJson(SealRequestSchema, { items: items.map(messageOf) });
  const response = await withAdminConnection(undefined, io, (connection) => connection.stub(Seal).seal(request));
  const json = toJson(SealResponseSchema, response) as { items: JsonObject[] };
  const sealed = response.items.map(({ bundle }, index) => ({ logIndex: '0', ...json.items[index]!, bundle: parseJson(bundle) }));
  return new Reader({ elapsedUs: '0', ...json, items: sealed }, 'answer');
}

/** On the wire a predicate is its JSON text. */
function messageOf(item: JsonObject): JsonObject {
  const { statement } = item;
  if (statement === undefined) return item;
  const { predicate, ...rest } = statement as JsonObject;
  return { ...item, statement: { ...rest, predicate: Buffer.from(JSON.stringify(predicate)).toString('base64') } };
}
