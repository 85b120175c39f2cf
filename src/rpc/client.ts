import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import type { GenService } from '@bufbuild/protobuf/codegenv2';
import { Client as GrpcClient, credentials, Metadata, type ChannelCredentials, type ClientOptions, type MethodDefinition, type VerifyOptions } from '@grpc/grpc-js';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { MESSAGE_LIMIT, methodDefinition, type Incoming, type Method, type Outgoing, type Service } from './definition.ts';
import { errorOfService } from './status.ts';
import { chainOf, secureContext, type TlsIdentity } from './tls.ts';

export interface CallOptions {
  /** default 30 s for unary calls, none for streams; DEADLINE_EXCEEDED after it */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface Duplex<I extends DescMessage, O extends DescMessage> {
  send(message: Outgoing<I>): void;
  /** undefined when the other end has ended with OK; rejects with its error otherwise */
  receive(): Promise<Incoming<O> | undefined>;
  end(): void;
}

type Invoke<M extends Method> = M['methodKind'] extends 'unary'
  ? (request: Outgoing<M['input']>, options?: CallOptions) => Promise<Incoming<M['output']>>
  : M['methodKind'] extends 'server_streaming'
    ? /** resolves when the stream has ended with OK */ (request: Outgoing<M['input']>, onMessage: (message: Incoming<M['output']>) => void, options?: CallOptions) => Promise<void>
    : M['methodKind'] extends 'bidi_streaming'
      ? (options?: CallOptions) => Duplex<M['input'], M['output']>
      : never;

/** One function per method of a service. Every failure is a StepsealError: the server's own, or SERVICE_UNREACHABLE, DEADLINE_EXCEEDED, CALL_CANCELLED, RPC_*. */
export type Stub<S> = S extends GenService<infer M> ? { readonly [K in keyof M]: Invoke<M[K]> } : never;

export interface Connection {
  /** the methods of a service on this connection */
  stub<S>(service: S): Stub<S>;
  close(): void;
}

export interface TlsTarget {
  readonly host: string;
  readonly port: number;
  readonly identity: TlsIdentity | undefined;
  /** trust anchors, DER */
  readonly roots: readonly Uint8Array[];
  /** Checks who the server is, by its certificates, leaf first; OpenSSL has checked the chain to `roots`. A throw refuses. */
  readonly verifyServer: (chain: readonly Uint8Array[]) => void;
  /** ms after which a silent server is asked for a sign of life, and after as many the connection counts as lost; 0: never */
  readonly keepaliveMs?: number;
}

const UNARY_TIMEOUT = 30_000;

/** A connection to a Unix socket; opened at the first call, reopened when lost. */
export function connectUnix(path: string): Connection {
  return connection(`unix:${path}`, credentials.createInsecure());
}

/** A mutually authenticated connection; opened at the first call, reopened when lost. */
export function connectTls(target: TlsTarget): Connection {
  let refusal: StepsealError | undefined;
  const checkServerIdentity: VerifyOptions['checkServerIdentity'] = (_host, certificate) => {
    try {
      target.verifyServer(chainOf(certificate as never));
      return undefined;
    } catch (error) {
      refusal = isStepsealError(error) ? error : undefined;
      return error as Error;
    }
  };
  const channel = credentials.createFromSecureContext(secureContext(target.identity, target.roots), { checkServerIdentity });
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  const { keepaliveMs = 0 } = target;
  return connection(`${host}:${target.port}`, channel, () => refusal, keepaliveMs === 0 ? {} : { 'grpc.keepalive_time_ms': keepaliveMs, 'grpc.keepalive_timeout_ms': keepaliveMs });
}

function connection(target: string, channel: ChannelCredentials, refusal?: () => StepsealError | undefined, options: ClientOptions = {}): Connection {
  const client = new GrpcClient(target, channel, {
    'grpc.max_receive_message_length': MESSAGE_LIMIT,
    'grpc.max_send_message_length': MESSAGE_LIMIT,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 5_000,
    // the server is known by its SPIFFE ID; without this an IP address would be sent as server name, which RFC 6066 forbids
    'grpc.ssl_target_name_override': 'localhost',
    ...options,
  });
  const failure = (error: unknown): StepsealError => {
    const known = errorOfService(error);
    // why our own check of the server failed is worth more than "unreachable"
    return (known.code === 'SERVICE_UNREACHABLE' ? refusal?.() : undefined) ?? known;
  };
  return {
    stub: <S>(service: S) => {
      const known = service as unknown as Service;
      return Object.fromEntries(Object.keys(known.method).map((name) => [name, invoker(client, known, name, failure)])) as Stub<S>;
    },
    close: () => client.close(),
  };
}

type AnyMessage = MessageShape<DescMessage>;
type AnyDefinition = MethodDefinition<AnyMessage, AnyMessage>;

function invoker(client: GrpcClient, service: Service, name: string, failure: (error: unknown) => StepsealError): unknown {
  const method = service.method[name]!;
  const definition = methodDefinition(service, name);
  switch (method.methodKind) {
    case 'unary':
      return (request: Outgoing<DescMessage>, options: CallOptions = {}) => unary(client, definition, create(method.input, request), options, failure);
    case 'server_streaming':
      return (request: Outgoing<DescMessage>, onMessage: (message: AnyMessage) => void, options: CallOptions = {}) =>
        serverStream(client, definition, create(method.input, request), onMessage, options, failure);
    case 'bidi_streaming':
      return (options: CallOptions = {}) => duplex(client, definition, method.input, options, failure);
    default:
      throw new StepsealError('INTERNAL', `no client for ${definition.path}`);
  }
}

function unary(client: GrpcClient, definition: AnyDefinition, request: AnyMessage, options: CallOptions, failure: (error: unknown) => StepsealError): Promise<AnyMessage> {
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(definition.path, definition.requestSerialize, definition.responseDeserialize, request, metadataOf(options),
      { deadline: Date.now() + (options.timeoutMs ?? UNARY_TIMEOUT) }, (error, answer) => {
        release();
        if (error === null) resolve(answer!);
        else reject(failure(error));
      });
    const release = abortable(options.signal, () => call.cancel());
  });
}

function serverStream(
  client: GrpcClient, definition: AnyDefinition, request: AnyMessage, onMessage: (message: AnyMessage) => void, options: CallOptions, failure: (error: unknown) => StepsealError,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = client.makeServerStreamRequest(definition.path, definition.requestSerialize, definition.responseDeserialize, request, metadataOf(options), deadlineOf(options));
    const release = abortable(options.signal, () => call.cancel());
    call.on('data', onMessage);
    call.on('error', (error) => {
      release();
      reject(failure(error));
    });
    call.on('end', () => {
      release();
      resolve();
    });
  });
}

function duplex(
  client: GrpcClient, definition: AnyDefinition, input: DescMessage, options: CallOptions, failure: (error: unknown) => StepsealError,
): Duplex<DescMessage, DescMessage> {
  const call = client.makeBidiStreamRequest(definition.path, definition.requestSerialize, definition.responseDeserialize, metadataOf(options), deadlineOf(options));
  const release = abortable(options.signal, () => call.cancel());
  const arrived: AnyMessage[] = [];
  const waiting: PromiseWithResolvers<AnyMessage | undefined>[] = [];
  let end: StepsealError | 'ok' | undefined;
  const settle = (how: StepsealError | 'ok'): void => {
    if (end !== undefined) return;
    end = how;
    release();
    for (const { resolve, reject } of waiting.splice(0)) {
      if (how === 'ok') resolve(undefined);
      else reject(how);
    }
  };
  call.on('data', (message: AnyMessage) => {
    const next = waiting.shift();
    if (next === undefined) arrived.push(message);
    else next.resolve(message);
  });
  call.on('error', (error) => settle(failure(error)));
  call.on('end', () => settle('ok'));
  return {
    send: (message) => void call.write(create(input, message)),
    end: () => call.end(),
    receive() {
      const next = Promise.withResolvers<AnyMessage | undefined>();
      if (arrived.length > 0) next.resolve(arrived.shift());
      else if (end === undefined) waiting.push(next);
      else if (end === 'ok') next.resolve(undefined);
      else next.reject(end);
      return next.promise;
    },
  };
}

function metadataOf(options: CallOptions): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
  return metadata;
}

function deadlineOf(options: CallOptions): { deadline?: number } {
  return options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
}

function abortable(signal: AbortSignal | undefined, cancel: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel);
  return () => signal.removeEventListener('abort', cancel);
}
