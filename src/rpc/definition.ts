import { fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2';
import type { MethodDefinition } from '@grpc/grpc-js';

/** A generated service, whatever its methods. */
export type Service = GenService<GenServiceMethods>;
export type Method = GenServiceMethods[string];
export type Incoming<D extends DescMessage> = MessageShape<D>;
export type Outgoing<D extends DescMessage> = MessageInitShape<D>;

/** Larger messages are refused by both ends: MESSAGE_TOO_LARGE. */
export const MESSAGE_LIMIT = 16 * 1024 * 1024;

/** What grpc-js needs to know of one method; the messages are protobuf-es messages. */
export function methodDefinition(service: Service, name: string): MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>> {
  const method = service.method[name]!;
  const kind = method.methodKind;
  return {
    path: `/${service.typeName}/${method.name}`,
    requestStream: kind === 'client_streaming' || kind === 'bidi_streaming',
    responseStream: kind === 'server_streaming' || kind === 'bidi_streaming',
    requestSerialize: (message) => encode(method.input, message),
    requestDeserialize: (bytes) => decode(method.input, bytes),
    responseSerialize: (message) => encode(method.output, message),
    responseDeserialize: (bytes) => decode(method.output, bytes),
  };
}

export function encode(schema: DescMessage, message: MessageShape<DescMessage>): Buffer {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `bytes` fields become plain Uint8Arrays, not Buffers. */
export function decode<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  return fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), { readUnknownFields: false });
}
