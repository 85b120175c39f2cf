import { request } from 'node:http';
import { isAbsolute, join } from 'node:path';
import { CODES, type Code } from '../base/codes.ts';
import { StepsealError } from '../base/errors.ts';
import { parseJson, type JsonObject } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import type { Io } from './command.ts';

const ANSWER_LIMIT = 512 * 1024 * 1024;

export const SOCKET_OPTION = { value: 'FILE', text: "the agent's seal socket (default $STEPSEAL_SEAL_SOCKET, else .stepseal/agent/seal.sock)" } as const;

/** The socket that was asked for, else the environment's, else the one of `stepseal start --keep` in this folder. */
export function sealSocketPath(option: string | undefined, io: Io): string {
  const path = option ?? (io.env['STEPSEAL_SEAL_SOCKET'] || '.stepseal/agent/seal.sock');
  return isAbsolute(path) ? path : join(io.cwd, path);
}

/** POST of a JSON body on the seal socket (docs/formats.md, Seal socket). Throws AGENT_UNAVAILABLE, or what the agent refused with. */
export async function callAgent(socketPath: string, path: string, body: JsonObject): Promise<Reader> {
  const { status, bytes } = await post(socketPath, path, Buffer.from(JSON.stringify(body)));
  const answer = new Reader(parseJson(bytes, { size: ANSWER_LIMIT }), 'answer');
  if (status !== 200) throw refusal(answer);
  return answer;
}

function refusal(answer: Reader): StepsealError {
  const error = answer.at('error');
  const code = error.at('code').string();
  const known: Code = Object.hasOwn(CODES, code) ? (code as Code) : 'INTERNAL';
  const message = error.at('message').string();
  const expected = error.at('expected').optional((reader) => reader.string());
  const found = error.at('found').optional((reader) => reader.string());
  return new StepsealError(known, known === code ? message : `${code}: ${message}`, {
    ...(expected === undefined ? {} : { expected }),
    ...(found === undefined ? {} : { found }),
  });
}

function post(socketPath: string, path: string, body: Buffer): Promise<{ status: number; bytes: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const unavailable = (cause: unknown) =>
      reject(new StepsealError('AGENT_UNAVAILABLE', `no agent answers on ${socketPath}`, { expected: 'a running agent; STEPSEAL_SEAL_SOCKET or --socket says where', cause }));
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const call = request({ socketPath, path, method: 'POST', headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) }));
      response.on('error', unavailable);
    });
    call.on('error', unavailable);
    call.end(body);
  });
}

