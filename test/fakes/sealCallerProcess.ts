// A process that calls the agent: node sealCallerProcess.ts SOCKET METHOD PATH [BODY]; prints the answer's body.
// METHOD gRPC: Seal on the workload socket SOCKET, with the digest PATH.
import { request } from 'node:http';
import { connectUnix } from '../../src/rpc/client.ts';
import { Seal } from '../../src/rpc/gen/stepseal/seal_pb.js';

const [socketPath, method, path, body] = process.argv.slice(2);
if (method === 'gRPC') {
  const connection = connectUnix(socketPath!);
  const { spiffeId, items } = await connection.stub(Seal).seal({ items: [{ name: 'x', what: { case: 'sha256', value: path! } }] });
  process.stdout.write(JSON.stringify({ spiffeId, items: items.map(({ sha256, bundle }) => ({ sha256, bundle: JSON.parse(Buffer.from(bundle).toString()) as object })) }));
  connection.close();
} else {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const call = request({ socketPath, path, method, headers, agent: false }, (response) => {
    response.pipe(process.stdout);
  });
  call.on('error', (error) => process.stdout.write(JSON.stringify({ error: { code: String(error) } })));
  call.end(body);
}
