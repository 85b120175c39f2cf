import type { Kind } from './codes.ts';

interface Outcome {
  /** process exit code: 1 fail, 2 usage, 3 unavailable */
  readonly exit: 1 | 2 | 3;
  /** gRPC status code, https://grpc.io/docs/guides/status-codes/ */
  readonly grpc: number;
  readonly http: number;
}

const OUTCOMES: Record<Kind, Outcome> = {
  invalid: { exit: 1, grpc: 3, http: 400 },
  usage: { exit: 2, grpc: 3, http: 400 },
  verdict: { exit: 1, grpc: 9, http: 422 },
  denied: { exit: 1, grpc: 7, http: 403 },
  conflict: { exit: 1, grpc: 9, http: 409 },
  'not-found': { exit: 1, grpc: 5, http: 404 },
  limit: { exit: 1, grpc: 8, http: 429 },
  unavailable: { exit: 3, grpc: 14, http: 503 },
  internal: { exit: 1, grpc: 13, http: 500 },
};

export function outcomeOf(kind: Kind): Outcome {
  return OUTCOMES[kind];
}
