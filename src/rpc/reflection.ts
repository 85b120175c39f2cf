import { toBinary, type DescFile } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { status } from '@grpc/grpc-js';
import { ServerReflection, type ServerReflectionRequest, type ServerReflectionResponse } from './gen/grpc/reflection/v1/reflection_pb.js';
import type { Service } from './definition.ts';
import { implement, type Implementation } from './handlers.ts';

type Answer = ServerReflectionResponse['messageResponse'];

/** grpc.reflection.v1 for the given services and for itself. */
export function reflection(services: readonly unknown[]): Implementation<unknown> {
  const all = [...(services as readonly Service[]), ServerReflection as unknown as Service];
  const files = new Map<string, DescFile>();
  for (const service of all) for (const file of closure(service.file)) files.set(file.proto.name, file);

  const answer = (request: ServerReflectionRequest): Answer => {
    const wanted = request.messageRequest;
    switch (wanted.case) {
      case 'listServices':
        return { case: 'listServicesResponse', value: { $typeName: 'grpc.reflection.v1.ListServiceResponse', service: all.map(({ typeName }) => ({ $typeName: 'grpc.reflection.v1.ServiceResponse', name: typeName })) } };
      case 'fileByFilename':
        return described(files.get(wanted.value));
      case 'fileContainingSymbol':
        return described([...files.values()].find((file) => defines(file, wanted.value)));
      default:
        return problem(status.UNIMPLEMENTED, 'proto3 services have no extensions');
    }
  };
  return implement<unknown, typeof ServerReflection>(ServerReflection, {
    async serverReflectionInfo(receive, _call, send) {
      for (let request = await receive(); request !== undefined; request = await receive()) {
        await send({ validHost: request.host, originalRequest: request, messageResponse: answer(request) });
      }
    },
  });
}

function described(file: DescFile | undefined): Answer {
  if (file === undefined) return problem(status.NOT_FOUND, 'not known here');
  const fileDescriptorProto = closure(file).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: 'fileDescriptorResponse', value: { $typeName: 'grpc.reflection.v1.FileDescriptorResponse', fileDescriptorProto } };
}

function problem(errorCode: number, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { $typeName: 'grpc.reflection.v1.ErrorResponse', errorCode, errorMessage } };
}

/** The file, then all that it needs. */
function closure(file: DescFile): DescFile[] {
  return [...new Set([file, ...file.dependencies.flatMap(closure)])];
}

function defines(file: DescFile, symbol: string): boolean {
  return file.services.some((service) => service.typeName === symbol || service.methods.some(({ name }) => `${service.typeName}.${name}` === symbol))
    || file.messages.some(({ typeName }) => typeName === symbol || symbol.startsWith(`${typeName}.`))
    || file.enums.some(({ typeName }) => typeName === symbol);
}
