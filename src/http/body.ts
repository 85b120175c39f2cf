import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { StepsealError } from '../base/errors.ts';
import { parseJson, type Json } from '../base/json.ts';
import { Reader } from '../base/read.ts';

/** The request body, at most `limit` bytes. Throws BODY_TOO_LARGE, without reading it where its length is announced; HTTP_BODY when it breaks off. */
export function readBody(context: Context, limit: number): Promise<Uint8Array> {
  const { incoming } = context.env as HttpBindings;
  if (Number(incoming.headers['content-length'] ?? 0) > limit) {
    context.header('connection', 'close');
    return Promise.reject(tooLarge(limit));
  }
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    incoming.on('data', (part: Buffer) => {
      size += part.length;
      if (size <= limit) parts.push(part);
      else {
        incoming.pause();
        context.header('connection', 'close');
        reject(tooLarge(limit));
      }
    });
    incoming.on('end', () => resolve(new Uint8Array(Buffer.concat(parts))));
    incoming.on('close', () => reject(new StepsealError('HTTP_BODY', 'the request ended before its body was complete')));
    incoming.on('error', (cause) => reject(new StepsealError('HTTP_BODY', 'the request ended before its body was complete', { cause })));
  });
}

/** A strict JSON body with `content-type: application/json`. Throws HTTP_CONTENT_TYPE, BODY_TOO_LARGE and the codes of parseJson. */
export async function readJson(context: Context, limit: number): Promise<Reader> {
  assertContentType(context, 'application/json');
  const body: Json = parseJson(await readBody(context, limit), { size: limit });
  return new Reader(body, 'body');
}

export function assertContentType(context: Context, expected: string): void {
  const found = (context.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (found !== expected) throw new StepsealError('HTTP_CONTENT_TYPE', 'the body has another content type', { expected, found: found === '' ? 'none' : found });
}

function tooLarge(limit: number): StepsealError {
  return new StepsealError('BODY_TOO_LARGE', 'the request body is larger than the limit', { expected: `at most ${limit} bytes` });
}
