import type { Service, SigningConfig } from '../envelope/signingConfig.ts';

export interface Endpoints {
  /** whose services these are; clients take one service per operator */
  readonly operator: string;
  /** base URL at which the server is reached, without a slash at the end */
  readonly http: string;
  /** OIDC issuer of the tokens that the CA takes */
  readonly issuer: string;
  /** ms since the epoch */
  readonly start: number;
}

/**
 * Where signing clients go. The numbers are generations of the clients' API: CA 1 is Fulcio's /api/v2, log 2 is Rekor v2.
 * Clients append the path to the CA's and the log's URL, and take the TSA's as it is.
 */
export function signingConfig({ operator, http, issuer, start }: Endpoints): SigningConfig {
  const service = (url: string, majorApiVersion: number): Service => ({ url, majorApiVersion, validFor: { start }, operator });
  return {
    caUrls: [service(http, 1)],
    oidcUrls: [service(issuer, 1)],
    rekorTlogUrls: [service(http, 2)],
    rekorTlogConfig: { selector: 'ANY' },
    tsaUrls: [service(`${http}/api/v1/timestamp`, 1)],
    tsaConfig: { selector: 'ANY' },
  };
}
