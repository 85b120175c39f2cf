// A process that calls a seal socket: node sealCallerProcess.ts SOCKET METHOD PATH [BODY]; prints the answer's body.
import { request } from 'node:http';

const [socketPath, method, path, body] = process.argv.slice(2);
const call = request({ socketPath, method, path, headers: body === undefined ? {} : { 'content-type': 'application/json' }, agent: false }, (response) => {
  response.pipe(process.stdout);
});
call.on('error', (error) => process.stdout.write(JSON.stringify({ error: { code: String(error) } })));
call.end(body);
