import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { StepsealError } from '../base/errors.ts';
import { createPrehash } from '../keys/native.ts';
import { systemClock } from '../keys/system.ts';
import { connectSocket } from '../rpc/socketClient.ts';
import { connectUnix } from '../rpc/client.ts';
import { Admin } from '../rpc/gen/stepseal/admin_pb.js';
import { Runner } from '../rpc/gen/stepseal/runner_pb.js';
import { probeIsolation } from '../runner/isolation.ts';
import { removeAll } from '../runner/removeAll.ts';
import { executeRun, type RunResult } from '../runner/run.ts';
import { DEFAULT_GRPC_PORT, DEFAULT_HTTP_PORT, DEFAULT_TRUST_DOMAIN } from '../server/options.ts';
import { planRun } from '../task/plan.ts';
import { readDocuments } from '../task/readDocuments.ts';
import { defineCommand } from './command.ts';
import { unreadable } from './fileErrors.ts';
import { paramsOf, workspacesOf } from './startArgs.ts';
import { createCollector } from './startCollect.ts';
import { nextSteps, writeSummary } from './startFinish.ts';
import { openOutFolder } from './startOut.ts';
import { startParts, type Parts } from './startParts.ts';
import { runPrinter } from './startPrint.ts';
import { styles } from './style.ts';
import { verdictBrief, verdictTree } from './verdictTree.ts';

/** The checkout or the installed package. */
const PACKAGE = resolve(import.meta.dirname, '../..');

export const command = defineCommand({
  name: 'start',
  summary: 'run a Tekton Task with everything it needs on this machine',
  usage: '[FILE...]',
  positionals: { min: 0, max: 64 },
  description: [
    'Starts a server and an agent as processes of their own, runs a Task, Pipeline, TaskRun or PipelineRun of the files,',
    'seals what each step leaves as that step, signs the provenance and verifies all of it. Without FILE it builds this',
    'program from its own sources. Results are in the output folder; exit code 0 means built, sealed and verified.',
  ].join('\n'),
  options: {
    param: { value: 'NAME=VALUE', multiple: true, text: 'a parameter; JSON in [] or {} for a list or a map' },
    workspace: { value: 'NAME=DIR', multiple: true, text: 'the directory behind a workspace' },
    entry: { value: 'NAME', text: 'what to run, where the files leave a choice: a name or Kind/name' },
    out: { value: 'DIR', default: 'stepseal-out', text: 'where the results go' },
    state: { value: 'DIR', default: '.stepseal', text: "server's and agent's folders; made at the first start, found at the next" },
    keep: { type: 'boolean', text: 'leave server and agent running' },
    'trust-domain': { value: 'NAME', text: `fixed at the first start (default ${DEFAULT_TRUST_DOMAIN})` },
    'http-port': { type: 'integer', max: 65_535, value: 'PORT', default: DEFAULT_HTTP_PORT, text: "the server's public port" },
    'grpc-port': { type: 'integer', max: 65_535, value: 'PORT', default: DEFAULT_GRPC_PORT, text: "the server's port for agents; 0 for any free one" },
  },
  examples: [
    { line: 'stepseal start', text: 'release this program' },
    { line: 'stepseal start build.yaml --param version=1.2.3 --workspace source=.', text: 'your own Task' },
    { line: 'stepseal start --keep', text: 'then cosign and `stepseal seal` work at once' },
  ],
  run: async ({ values, positionals, json, io }) => {
    const say = json ? io.err : io.out;
    const colour = !json && io.colour;
    const style = styles(colour);
    const { green, red, dim } = style;
    const stopSignal = io.stopSignal();
    const state = resolve(io.cwd, values.state);
    const outPath = resolve(io.cwd, values.out);
    const example = positionals.length === 0;
    const request = {
      files: filesOf(example ? [join(PACKAGE, 'tekton/examples/release.yaml')] : positionals.map((path) => resolve(io.cwd, path))),
      params: paramsOf(values.param),
      workspaces: { ...(example ? { source: PACKAGE } : {}), ...workspacesOf(values.workspace, io.cwd) },
      entry: values.entry ?? '',
    };
    // what cannot run is refused before anything is started or made
    planRun(readDocuments(request.files), request);
    const out = openOutFolder(outPath, state);
    let parts: Parts | undefined;
    try {
      const started = performance.now();
      parts = await startParts({ state, trustDomain: values['trust-domain'], httpPort: values['http-port'], grpcPort: values['grpc-port'], keep: values.keep, env: io.env });
      const { server, agent } = parts;
      out.sweep();
      removeAll(join(state, 'runs'));
      if (server.created) say(`${green('✓')} created trust domain ${server.trustDomain}; its keys are plain PKCS#8 files, mode 0600, in ${server.keysFolder}\n`);
      say(`${green('✓')} server and agent of ${server.trustDomain} are ready ${dim(`in ${((performance.now() - started) / 1000).toFixed(2)} s: ${server.httpUrl}, ${agent.id}`)}\n`);

      const collector = createCollector(out);
      const print = runPrinter(say, colour);
      const connection = connectUnix(server.adminSocket);
      const admin = connection.stub(Admin);
      const channel = connectSocket(parts.channel, Runner);
      const result = await executeRun(request, {
        agent: channel.stub,
        admin,
        isolation: await probeIsolation(state),
        sockets: { workload: agent.workloadSocket, seal: agent.sealSocket },
        hide: [state, outPath],
        folder: join(state, 'runs'),
        path: io.env['PATH'] ?? '/usr/bin:/bin',
        clock: systemClock,
        signal: stopSignal,
        onEvent: (event) => {
          collector.onEvent(event);
          print(event);
        },
        placeArtifact: collector.placeArtifact,
      });
      const trust = await admin.getTrust({});
      const summary = writeSummary(out, { result, collected: collector, parts, trust, prehash: createPrehash() });
      out.publish();
      connection.close();
      channel.close();
      say(summary.provenanceText(colour));
      summary.verdicts.forEach((verdict, index) => say(`\n${(index === 0 ? verdictTree : verdictBrief)(verdict, style)}`));
      const ok = succeeded(result) && summary.verdicts.length > 0 && summary.verdicts.every(({ status }) => status === 'ok');
      if (result.refused !== undefined) say(`\n${red(`✗ no provenance: ${result.refused.code}: ${result.refused.message}`)}\n`);
      if (json) io.out(`${JSON.stringify(summary.document)}\n`);
      else say(nextSteps(summary.document, { out: basename(outPath) === 'stepseal-out' ? 'stepseal-out' : outPath, kept: values.keep ? parts.pids : [], ok, colour }));
      if (values.keep) parts.leave();
      return ok ? 0 : 1;
    } catch (error) {
      out.discard();
      if (stopSignal.aborted) throw new StepsealError('CALL_CANCELLED', 'stopped by a signal');
      throw error;
    } finally {
      if (!values.keep || parts?.left !== true) await parts?.stop();
    }
  },
});

function succeeded({ outcome, provenance, problems }: RunResult): boolean {
  return outcome === 'succeeded' && provenance !== undefined && problems.length === 0;
}

function filesOf(paths: readonly string[]): { name: string; yaml: Uint8Array }[] {
  return paths.map((path) => {
    try {
      return { name: basename(path), yaml: readFileSync(path) };
    } catch (cause) {
      throw unreadable(path, cause);
    }
  });
}
