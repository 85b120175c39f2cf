import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import type { Metadata, ServerDuplexStream, ServerUnaryCall, ServerWritableStream, UntypedHandleCall } from '@grpc/grpc-js';
import type { GenService } from '@bufbuild/protobuf/codegenv2';
import { isStepsealError } from '../base/errors.ts';
import type { Incoming, Method, Outgoing, Service } from './definition.ts';
import { statusOf } from './status.ts';

/** What a handler knows of the call besides its message. `P` is what the listener's `admit` said of the connection. */
export interface Call<P> {
  readonly peer: P;
  /** aborted when the caller cancels, goes away, or its deadline passes */
  readonly signal: AbortSignal;
  readonly metadata: Metadata;
  /** `/package.Service/Method` */
  readonly method: string;
}

/** Sends one message; resolves when more may be sent. What is sent after the end is dropped: `call.signal` tells. */
export type Send<O extends DescMessage> = (message: Outgoing<O>) => Promise<void>;
/** The next message of the caller; undefined after the last. */
export type Receive<I extends DescMessage> = () => Promise<Incoming<I> | undefined>;

export type Handler<P, M extends Method> = M['methodKind'] extends 'unary'
  ? (request: Incoming<M['input']>, call: Call<P>) => Outgoing<M['output']> | Promise<Outgoing<M['output']>>
  : M['methodKind'] extends 'server_streaming'
    ? (request: Incoming<M['input']>, call: Call<P>, send: Send<M['output']>) => Promise<void>
    : M['methodKind'] extends 'bidi_streaming'
      ? (receive: Receive<M['input']>, call: Call<P>, send: Send<M['output']>) => Promise<void>
      : never;

export type Handlers<P, S> = S extends GenService<infer M> ? { readonly [K in keyof M]: Handler<P, M[K]> } : never;

export interface Implementation<P> {
  readonly service: Service;
  readonly handlers: Record<string, Handler<P, Method>>;
  /** runs before each method's handler; a throw refuses the call */
  readonly before: ((call: Call<P>) => void) | undefined;
}

/** Joins a generated service and its handlers. A handler throws StepsealError; anything else is reported as a fault and answered INTERNAL. */
export function implement<P, S>(service: S, handlers: Handlers<P, S>, before?: (call: Call<P>) => void): Implementation<P> {
  return { service: service as Service, handlers, before };
}

type AnyMessage = MessageShape<DescMessage>;
type UnaryBody<P> = (request: AnyMessage, call: Call<P>) => Promise<MessageInitShape<DescMessage>>;
type StreamBody<P> = (input: unknown, call: Call<P>, send: Send<DescMessage>) => Promise<void>;
type ServerStream = ServerWritableStream<AnyMessage, AnyMessage> | ServerDuplexStream<AnyMessage, AnyMessage>;

/** The grpc-js handler of one method. */
export function grpcHandler<P>(
  of: Implementation<P>, name: string, peerOf: (token: string) => P, fault: (error: unknown, method: string) => void,
): UntypedHandleCall {
  const method = of.service.method[name]!;
  const path = `/${of.service.typeName}/${method.name}`;
  const failed = (error: unknown): ReturnType<typeof statusOf> => {
    if (!isStepsealError(error) || error.kind === 'internal') fault(error, path);
    return statusOf(error);
  };
  const open = (raw: ServerUnaryCall<AnyMessage, AnyMessage> | ServerStream): Call<P> => {
    const ended = new AbortController();
    (raw as ServerUnaryCall<AnyMessage, AnyMessage>).on('cancelled', () => ended.abort());
    const call = { peer: peerOf(raw.getPeer()), signal: ended.signal, metadata: raw.metadata, method: path };
    of.before?.(call);
    return call;
  };

  if (method.methodKind === 'unary') {
    const body = of.handlers[name] as unknown as UnaryBody<P>;
    return (async (raw: ServerUnaryCall<AnyMessage, AnyMessage>, answer: (error: unknown, message?: AnyMessage) => void) => {
      try {
        answer(null, create(method.output, await body(raw.request, open(raw))));
      } catch (error) {
        answer(failed(error));
      }
    }) as UntypedHandleCall;
  }
  const body = of.handlers[name] as unknown as StreamBody<P>;
  return (async (raw: ServerStream) => {
    try {
      const call = open(raw);
      await body('request' in raw ? raw.request : receiver(raw, call.signal), call, sender(raw, call.signal, method.output));
      raw.end();
    } catch (error) {
      raw.emit('error', failed(error));
    }
  }) as UntypedHandleCall;
}

function sender(raw: ServerStream, signal: AbortSignal, schema: DescMessage): Send<DescMessage> {
  return (message) => {
    if (signal.aborted || raw.write(create(schema, message))) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        raw.off('drain', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      raw.once('drain', done);
      signal.addEventListener('abort', done);
    });
  };
}

/** Pulls one message at a time, so that a fast caller is held by flow control. */
function receiver(raw: ServerDuplexStream<AnyMessage, AnyMessage>, signal: AbortSignal): Receive<DescMessage> {
  const waiting: ((message: AnyMessage | undefined) => void)[] = [];
  const arrived: AnyMessage[] = [];
  let over = false;
  const finish = (): void => {
    over = true;
    for (const resolve of waiting.splice(0)) resolve(undefined);
  };
  raw.on('data', (message: AnyMessage) => {
    const resolve = waiting.shift();
    if (resolve === undefined) arrived.push(message);
    else resolve(message);
    raw.pause();
  });
  raw.pause();
  raw.on('end', finish);
  signal.addEventListener('abort', finish);
  return () => {
    const ready = arrived.shift();
    if (ready !== undefined || over) return Promise.resolve(ready);
    return new Promise((resolve) => {
      waiting.push(resolve);
      raw.resume();
    });
  };
}
