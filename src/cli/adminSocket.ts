import { isAbsolute, join } from 'node:path';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import type { Connection, Stub } from '../rpc/client.ts';
import type { Admin as AdminService } from '../rpc/gen/stepseal/admin_pb.js';
import type { Io } from './command.ts';

export const ADMIN_SOCKET_OPTION = { value: 'FILE', text: "the server's admin socket (default $STEPSEAL_ADMIN_SOCKET, else .stepseal/server/admin.sock)" } as const;

/** A connection to the server's admin socket, for one piece of work; closed after it. Errors as of src/rpc/client.ts. */
export async function withAdminConnection<T>(option: string | undefined, io: Io, use: (connection: Connection) => Promise<T>): Promise<T> {
  const { connectUnix } = await import('../rpc/client.ts');
  const path = option ?? (io.env['STEPSEAL_ADMIN_SOCKET'] || '.stepseal/server/admin.sock');
  const absolute = isAbsolute(path) ? path : join(io.cwd, path);
  const connection = connectUnix(absolute);
  try {
    return await use(connection);
  } catch (error) {
    if (!isStepsealError(error) || error.code !== 'SERVICE_UNREACHABLE') throw error;
    throw new StepsealError(error.code, `no server answers on ${absolute}`, { cause: error, expected: 'a running server; STEPSEAL_ADMIN_SOCKET says where', found: error.message });
  } finally {
    connection.close();
  }
}

/** The same, as a client of the Admin service. */
export async function withAdmin<T>(option: string | undefined, io: Io, use: (admin: Stub<typeof AdminService>) => Promise<T>): Promise<T> {
  const { Admin } = await import('../rpc/gen/stepseal/admin_pb.js');
  return withAdminConnection(option, io, (connection) => use(connection.stub(Admin)));
}
