import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { CODES, type Code } from '../base/codes.ts';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { outcomeOf } from '../base/outcome.ts';

/** Trailing metadata: the stable code, and `expected`/`found` as JSON. */
const CODE_KEY = 'stepseal-code';
const DETAIL_KEY = 'stepseal-detail-bin';

/** The gRPC status of an error. What is not a StepsealError is a fault of ours: INTERNAL, and nothing of it goes out. */
export function statusOf(error: unknown): Partial<StatusObject> {
  const known = isStepsealError(error) ? error : new StepsealError('INTERNAL', 'internal error');
  const metadata = new Metadata();
  metadata.set(CODE_KEY, known.code);
  if (known.expected !== undefined || known.found !== undefined) {
    metadata.set(DETAIL_KEY, Buffer.from(JSON.stringify({ expected: known.expected, found: known.found })));
  }
  return { code: outcomeOf(known.kind).grpc, details: known.message, metadata };
}

/** The error behind a gRPC status; a status that carries no code of ours gets one by what it says. */
export function errorOfStatus(code: number, details: string, header: (name: string) => string | Buffer | undefined): StepsealError {
  const named = header(CODE_KEY);
  if (typeof named === 'string' && Object.hasOwn(CODES, named)) return new StepsealError(named as Code, details, detailOf(header(DETAIL_KEY)));
  return new StepsealError(codeOf(code, details), plain(details), { found: `gRPC status ${status[code] ?? code}` });
}

/** The same for what grpc-js throws or emits. */
export function errorOfService(error: unknown): StepsealError {
  if (isStepsealError(error)) return error;
  const { code, details, metadata } = error as Partial<StatusObject>;
  if (typeof code !== 'number') return new StepsealError('RPC_FAILED', 'the call failed', { cause: error });
  return errorOfStatus(code, details ?? '', (name) => metadata?.get(name)[0]);
}

/** What grpc-js says of a connection that never was, without the words around it. */
function plain(details: string): string {
  return /^No connection established\. Last error: (?:Error: )?(.+?)\.? Resolution note: .*$/s.exec(details)?.[1] ?? details;
}

function detailOf(value: string | Buffer | undefined): { expected?: string; found?: string } {
  if (!Buffer.isBuffer(value) || value.length > 2048) return {};
  const parsed = JSON.parse(value.toString('utf8')) as Record<string, unknown>;
  return {
    ...(typeof parsed['expected'] === 'string' && { expected: parsed['expected'] }),
    ...(typeof parsed['found'] === 'string' && { found: parsed['found'] }),
  };
}

function codeOf(code: number, details: string): Code {
  switch (code) {
    case status.CANCELLED: return 'CALL_CANCELLED';
    case status.DEADLINE_EXCEEDED: return 'DEADLINE_EXCEEDED';
    case status.UNIMPLEMENTED: return 'RPC_UNIMPLEMENTED';
    case status.UNAVAILABLE: return 'SERVICE_UNREACHABLE';
    case status.RESOURCE_EXHAUSTED: return /larger than/.test(details) ? 'MESSAGE_TOO_LARGE' : 'RPC_FAILED';
    default: return 'RPC_FAILED';
  }
}
