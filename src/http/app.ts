import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { CODES } from '../base/codes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { outcomeOf } from '../base/outcome.ts';

export interface HttpEnv<P> {
  Bindings: HttpBindings & { /** who is on the other end: what the listener's `admit` said of the connection */ peer: P };
}

export type HttpApp<P = undefined> = Hono<HttpEnv<P>>;

/** The statuses that outcome.ts knows, and 413 for bodies. */
export type ErrorStatus = 400 | 403 | 404 | 409 | 413 | 422 | 429 | 500 | 503;

/** An app whose errors are JSON (docs/formats.md); anything that is no StepsealError goes to `onFault` and is answered INTERNAL. */
export function createApp<P = undefined>(onFault: (error: unknown, path: string) => void): HttpApp<P> {
  const app = new Hono<HttpEnv<P>>();
  app.onError((error, context) => {
    if (!isStepsealError(error) || error.kind === 'internal') onFault(error, context.req.path);
    return context.json(errorBody(error), statusOf(error));
  });
  app.notFound((context) => context.json(errorBody(new StepsealError('HTTP_NOT_FOUND', `there is nothing at ${context.req.method} ${context.req.path}`)), 404));
  return app;
}

export function statusOf(error: unknown): ErrorStatus {
  if (!isStepsealError(error)) return 500;
  return error.code === 'BODY_TOO_LARGE' ? 413 : (outcomeOf(CODES[error.code]).http as ErrorStatus);
}

/** `{"error":{code,message,expected,found}}`, the last two where they say something; nothing of a foreign error. */
export function errorBody(error: unknown): { error: Record<string, string> } {
  const known = isStepsealError(error) ? error : new StepsealError('INTERNAL', 'internal error');
  return {
    error: {
      code: known.code, message: known.message,
      ...(known.expected !== undefined && { expected: known.expected }), ...(known.found !== undefined && { found: known.found }),
    },
  };
}
