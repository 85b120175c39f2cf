import { type Context, Hono } from 'hono';
import { utf8 } from '../../base/bytes.ts';
import { asStepsealError, describeError, StepsealError } from '../../base/errors.ts';
import { outcomeOf } from '../../base/outcome.ts';
import { encodePem } from '../../der/pem.ts';
import { statusOf } from '../../http/app.ts';
import { readBody } from '../../http/body.ts';
import type { LogReader } from '../../log/types.ts';
import { jwks, oidcDiscovery } from '../../trust/oidc.ts';
import { respondToDer, respondToJson, type TimestampReply } from '../../tsa/respond.ts';
import { faultOf } from '../core.ts';
import type { OpenServer } from '../open.ts';
import { configuration, createSigningCertificate, MAX_FULCIO_REQUEST, trustBundle } from './fulcio.ts';
import { createEntry, MAX_REKOR_REQUEST } from './rekor.ts';

export interface PublicFiles {
  readonly trustedRoot: () => Uint8Array;
  readonly signingConfig: () => Uint8Array;
  readonly spiffeBundle: () => Uint8Array;
}

const MAX_TIMESTAMP_REQUEST = 16 * 1024;
/** A tile at a path never changes, full or partial. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** Everything that stock clients reach over HTTP: facts of sigstore.md §1 to §4, and our own trust material. */
export function publicApp(open: OpenServer, files: PublicFiles): Hono {
  const app = new Hono();
  const { core } = open;
  const json = (context: Context, body: string | Uint8Array, status: 200 | 201 = 200): Response => context.body(bytes(body), status, { 'content-type': 'application/json' });

  app.post('/api/v2/signingCert', async (context) =>
    json(context, await createSigningCertificate(open, await readBody(context, MAX_FULCIO_REQUEST), context.req.header('authorization'))));
  app.get('/api/v2/trustBundle', (context) => json(context, trustBundle(open)));
  app.get('/api/v2/configuration', (context) => json(context, configuration(open)));

  // 201 also for an entry that was there already: the answer is as good, and clients know no other success
  app.post('/api/v2/log/entries', async (context) => json(context, await createEntry(open, await readBody(context, MAX_REKOR_REQUEST)), 201));
  serveLog(app, '/api/v2', open.tlog);
  serveLog(app, '', open.tlog);
  serveLog(app, '/ct', open.ctLog);
  app.get('/ct/issuer/:fingerprint', (context) => {
    const der = open.issuer(context.req.param('fingerprint'));
    return der === undefined ? context.notFound() : context.body(bytes(der), 200, { 'content-type': 'application/pkix-cert', 'cache-control': IMMUTABLE });
  });

  app.post('/api/v1/timestamp', async (context) => {
    const body = await readBody(context, MAX_TIMESTAMP_REQUEST);
    const type = context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (type === 'application/json') return timestampReply(context, await respondToJson(open.tsa, body));
    if (type === 'application/timestamp-query') return timestampReply(context, await respondToDer(open.tsa, body));
    throw new StepsealError('HTTP_CONTENT_TYPE', 'a request of another content type', { expected: 'application/timestamp-query or application/json', found: type ?? 'none' });
  });
  app.get('/api/v1/timestamp/certchain', (context) => {
    const chain = [open.authorities.tsa().certificate.der, open.authorities.signingRoot.certificate.der];
    return context.body(chain.map((der) => encodePem('CERTIFICATE', der)).join(''), 200, { 'content-type': 'application/pem-certificate-chain' });
  });

  app.get('/.well-known/openid-configuration', (context) =>
    json(context, oidcDiscovery({ issuer: core.issuer, jwksUri: `${core.issuer}/keys`, keys: core.identity.jwtAuthorities })));
  app.get('/keys', (context) => json(context, jwks(core.identity.jwtAuthorities)));
  app.get('/spiffe/bundle', (context) => json(context, files.spiffeBundle()));
  app.get('/trusted_root.json', (context) => json(context, files.trustedRoot()));
  app.get('/signing_config.json', (context) => json(context, files.signingConfig()));
  app.get('/healthz', (context) => {
    // each throws when it cannot do its work now
    open.authorities.signingIntermediate();
    open.authorities.tsa();
    core.db.get('SELECT 1');
    return context.text('ok\n');
  });

  app.notFound((context) => context.json({ code: 5, message: `nothing is served at ${context.req.path}`, details: [] }, 404));
  app.onError((error, context) => {
    const known = asStepsealError(error, 'INTERNAL', 'internal error');
    if (known.kind === 'internal') core.log.error({ path: context.req.path, error: faultOf(error) }, 'a request failed');
    if (known.kind === 'unavailable') core.log.warn({ path: context.req.path, error: describeError(known) }, 'a request could not be served');
    const { grpc } = outcomeOf(known.kind);
    // google.rpc.Status as grpc-gateway writes it, which is what Fulcio's and Rekor's clients print
    return context.json({ code: grpc, message: describeError(known), details: [], error: { code: known.code, message: known.message, expected: known.expected, found: known.found } }, statusOf(known));
  });
  return app;
}

/** C2SP tlog-tiles below a prefix. */
function serveLog(app: Hono, prefix: string, log: LogReader): void {
  const serve = async (context: Context): Promise<Response> => {
    const path = context.req.path.slice(prefix.length + 1);
    const found = await log.read(path);
    if (found === undefined) return context.notFound();
    const checkpoint = path === 'checkpoint';
    return context.body(bytes(found), 200, {
      'content-type': checkpoint ? 'text/plain; charset=utf-8' : 'application/octet-stream',
      'cache-control': checkpoint ? 'no-cache' : IMMUTABLE,
    });
  };
  app.get(`${prefix}/checkpoint`, serve);
  app.get(`${prefix}/tile/*`, serve);
}

function timestampReply(context: Context, { granted, der }: TimestampReply): Response {
  return context.body(bytes(der), granted ? 201 : 400, { 'content-type': 'application/timestamp-reply' });
}

function bytes(content: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(typeof content === 'string' ? utf8(content) : content);
}
