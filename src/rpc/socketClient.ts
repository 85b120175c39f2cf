import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import { concat } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import type { Stub } from './client.ts';
import { decode, encode, MESSAGE_LIMIT, methodDefinition, type Outgoing, type Service } from './definition.ts';
import { errorOfStatus } from './status.ts';

/** MB; Node's default of 10 would cut calls with large messages */
const SESSION_MEMORY = 512;

/**
 * Unary gRPC calls over a connection that is open already, which grpc-js cannot do: the socket pair between the process
 * that started the agent and the agent. Frames as https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md says.
 * There is no deadline: a step may be hashed for minutes; when the other process ends, calls reject SERVICE_UNREACHABLE.
 */
export function connectSocket<S>(socket: Duplex, service: S): { readonly stub: Stub<S>; close(): void } {
  const session = connect('http://localhost', { createConnection: () => socket, maxSessionMemory: SESSION_MEMORY });
  let lost: Error | undefined;
  session.on('error', (error) => (lost = error));
  const known = service as unknown as Service;
  const stub = Object.fromEntries(Object.keys(known.method).map((name) => [name, (request: Outgoing<DescMessage>) => unary(session, known, name, request, () => lost)]));
  return { stub: stub as Stub<S>, close: () => session.close() };
}

function unary(session: ClientHttp2Session, service: Service, name: string, request: Outgoing<DescMessage>, lost: () => Error | undefined): Promise<MessageShape<DescMessage>> {
  const unreachable = (cause?: unknown): StepsealError => new StepsealError('SERVICE_UNREACHABLE', 'the process on the other end of the connection is gone', { cause: cause ?? lost() });
  if (session.closed || session.destroyed) return Promise.reject(unreachable());
  const { input, output } = service.method[name]!;
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST', ':path': methodDefinition(service, name).path, 'content-type': 'application/grpc', te: 'trailers',
    });
    const parts: Uint8Array[] = [];
    let size = 0;
    let headers: IncomingHttpHeaders = {};
    stream.on('response', (response) => (headers = response));
    stream.on('trailers', (trailers) => (headers = { ...headers, ...trailers }));
    stream.on('data', (part: Uint8Array) => {
      parts.push(part);
      size += part.length;
      if (size > MESSAGE_LIMIT + 5) stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on('error', (error) => reject(unreachable(error)));
    stream.on('close', () => {
      const status = headers['grpc-status'];
      if (status === '0') resolve(decode(output, unframed(concat(...parts))));
      else if (typeof status === 'string') reject(errorOfStatus(Number(status), decodeURIComponent(String(headers['grpc-message'] ?? '')), (key) => valueOf(headers, key)));
      else reject(size > MESSAGE_LIMIT ? new StepsealError('MESSAGE_TOO_LARGE', 'the answer is larger than 16 MiB') : unreachable());
    });
    send(stream, encode(input, create(input, request)));
  });
}

function send(stream: ClientHttp2Stream, message: Uint8Array): void {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.write(head);
  stream.end(message);
}

/** One message: a compressed-flag byte (never set: we announce no encoding), the length, the bytes. */
function unframed(frame: Uint8Array): Uint8Array {
  const length = Buffer.from(frame.buffer, frame.byteOffset, frame.length).readUInt32BE(1);
  if (frame[0] !== 0 || frame.length !== length + 5) throw new StepsealError('RPC_FAILED', 'the answer is not one gRPC message');
  return frame.subarray(5);
}

function valueOf(headers: IncomingHttpHeaders, key: string): string | Buffer | undefined {
  const value = headers[key];
  if (typeof value !== 'string') return undefined;
  return key.endsWith('-bin') ? Buffer.from(value, 'base64') : value;
}
