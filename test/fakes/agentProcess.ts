import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { StepsealError } from '../../src/base/errors.ts';
import { Runner } from '../../src/rpc/gen/stepseal/runner_pb.js';
import { implement } from '../../src/rpc/handlers.ts';
import { createRpcServer } from '../../src/rpc/server.ts';

// A process that serves stepseal.runner.v1 on descriptor 3, as the agent does: it looks at the step's first process
// through /proc, reads results at the step's end, and seals nothing. A step named `refused` is refused, one named
// `problematic` ends with a problem.

interface Attempt {
  readonly pid: number;
  readonly step: string;
  readonly results: string;
  readonly stepResults: string;
  readonly stepArtifacts: string;
}

const attempts = new Map<string, Attempt>();

const service = implement(Runner, {
  startStep(request) {
    if (request.step === 'refused') throw new StepsealError('ATTEMPT_EXISTS', 'the fake refuses');
    const namespace = readlinkSync(`/proc/${request.pid}/ns/pid`);
    const attemptId = `00000000-0000-4000-8000-${String(attempts.size + 1).padStart(12, '0')}`;
    const { results, stepResults, stepArtifacts } = request.paths!;
    attempts.set(attemptId, { pid: request.pid, step: request.step, results, stepResults, stepArtifacts });
    const own = namespace === readlinkSync('/proc/self/ns/pid');
    if (own === request.isolated) throw new Error('isolated means a pid namespace of its own');
    return { attemptId, spiffeId: `spiffe://example.org/fake/${request.step}`, grantedMs: 1n, elapsedUs: 1n, attested: [`pid namespace ${namespace}`, `rendered ${digest(request.rendered)}`] };
  },
  endStep({ attemptId }) {
    const attempt = attempts.get(attemptId)!;
    const root = `/proc/${attempt.pid}/root`;
    const folder = join(root, attempt.results);
    const resultDigests = Object.fromEntries(readdirSync(folder).map((name) => [`task/${name}`, digest(readFileSync(join(folder, name)))]));
    return {
      artifacts: artifactsOf(root, attempt.stepArtifacts),
      results: contents(folder),
      resultDigests,
      stepResults: contents(join(root, attempt.stepResults)),
      elapsedUs: 1n,
      problems: attempt.step === 'problematic' ? [{ code: 'RESULT_NOT_SIGNED_BY_PRODUCER', message: 'for the test' }] : [],
    };
  },
});

function contents(folder: string): Record<string, Uint8Array> {
  const small = readdirSync(folder).filter((name) => statSync(join(folder, name)).size <= 4096);
  return Object.fromEntries(small.map((name) => [name, readFileSync(join(folder, name))]));
}

function artifactsOf(root: string, path: string): { name: string; uri: string; sha256: string; path: string }[] {
  let text: string;
  try {
    text = readFileSync(root + path, 'utf8');
  } catch {
    return [];
  }
  const { outputs } = JSON.parse(text) as { outputs: { name: string; values: { uri: string; digest: { sha256: string } }[] }[] };
  return outputs.flatMap(({ name, values }) => values.map(({ uri, digest: { sha256 } }) => ({ name, uri, sha256, path: uri.replace('file://', '') })));
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const server = createRpcServer<undefined>({ services: [service], onFault: (error) => process.stderr.write(`${String(error)}\n`) });
const channel = new Socket({ fd: 3 });
channel.on('close', () => process.exit(0));
server.inject(channel, undefined);
