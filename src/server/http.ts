import { type HttpListener, serveHttpTcp } from '../http/listen.ts';
import { bundleOf, signingConfigOf } from './material.ts';
import type { OpenServer } from './open.ts';
import type { ServerOptions } from './options.ts';
import { publicApp } from './public/app.ts';

export interface PublicHttp extends HttpListener {
  /** base URL, without a slash at the end */
  readonly url: string;
}

/** The HTTP port. Throws PORT_TAKEN, ADDRESS_UNUSABLE. */
export async function serveHttp(open: OpenServer, { host, httpPort }: ServerOptions): Promise<PublicHttp> {
  const urlOf = (port: number): string => `http://${hostName(host)}:${port}`;
  let url = urlOf(httpPort);
  const app = publicApp(open, { trustedRoot: open.trustedRoot, signingConfig: () => signingConfigOf(open, url), spiffeBundle: () => bundleOf(open.core) });
  const listener = await serveHttpTcp(app, { host, port: httpPort });
  url = urlOf(listener.port);
  return { ...listener, url };
}

/** sigstore clients accept plain http for `localhost` by name; other addresses stand as they are. */
function hostName(host: string): string {
  if (host === '127.0.0.1' || host === '::1') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
