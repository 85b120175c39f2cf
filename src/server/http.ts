import { isStepsealError, StepsealError } from '../base/errors.ts';
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
  const listener = await orOption('http-port', serveHttpTcp(app, { host, port: httpPort }));
  url = urlOf(listener.port);
  return { ...listener, url };
}

/** A taken port is told with the option that chooses another. */
export async function orOption<T>(option: string, listening: Promise<T>): Promise<T> {
  try {
    return await listening;
  } catch (cause) {
    if (!isStepsealError(cause) || cause.code !== 'PORT_TAKEN') throw cause;
    throw new StepsealError(cause.code, cause.message, { expected: `a free port: choose another with --${option}`, found: cause.found ?? '', cause });
  }
}

/** sigstore clients accept plain http for `localhost` by name; other addresses stand as they are. */
function hostName(host: string): string {
  if (host === '127.0.0.1' || host === '::1') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
