/** How a server is started; everything that is not here is fixed at the first start and kept in the data folder. */
export interface ServerOptions {
  /** data folder, absolute; made where it is not there */
  readonly data: string;
  /** default: that of the folder; for a new one DEFAULT_TRUST_DOMAIN */
  readonly trustDomain?: string | undefined;
  /** OIDC issuer URL; default `https://<trust domain>`; never derived from the address */
  readonly issuer?: string | undefined;
  /** opts steps into signing with stock clients, by their JWT-SVIDs while the attempt is open (road `bearer`) */
  readonly stepBearer?: boolean | undefined;
  /** address to listen on */
  readonly host: string;
  readonly httpPort: number;
  /** 0: any free one */
  readonly grpcPort: number;
  /** absolute; default `admin.sock` in the data folder */
  readonly adminSocket?: string | undefined;
}

export const DEFAULT_TRUST_DOMAIN = 'example.org';
export const DEFAULT_HOST = '127.0.0.1';
/** One fixed port, so that a signing config written yesterday works today. */
export const DEFAULT_HTTP_PORT = 7980;
export const DEFAULT_GRPC_PORT = 7981;
