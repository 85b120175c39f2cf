import type { Context } from 'hono';
import { StepsealError } from '../base/errors.ts';

/** The whole body of a request, of at most `limit` bytes. Throws BODY_TOO_LARGE, as soon as it is known. */
export async function readBody(context: Context, limit: number): Promise<Uint8Array> {
  const announced = Number(context.req.header('content-length') ?? 0);
  if (announced > limit) throw tooLarge(limit, announced);
  const chunks: Uint8Array[] = [];
  let size = 0;
  // a web stream of node-server over HTTP/1.1; the rule against `for await` is about http2
  for await (const chunk of context.req.raw.body ?? []) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit, size);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(limit: number, found: number): StepsealError {
  return new StepsealError('BODY_TOO_LARGE', 'the body of the request is too large', { expected: `at most ${limit} bytes`, found: `${found} bytes` });
}
