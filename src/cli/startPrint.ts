import type { RunEvent, SealedArtifact, StepName } from '../runner/events.ts';
import { printable, printableLine } from './printable.ts';
import { styles } from './style.ts';

/** Prints a run as it happens: for each step who it is, what was attested, what it said, what was sealed. */
export function runPrinter(out: (text: string) => void, colour: boolean): (event: RunEvent) => void {
  const style = styles(colour);
  const { bold, dim, green, red, yellow, cyan } = style;
  const mark = { succeeded: green('✓'), failed: red('✗'), skipped: yellow('–') };
  const name = ({ pipelineTask, step }: StepName): string => (pipelineTask === '' ? step : `${pipelineTask}/${step}`);
  const row = (label: string, text: string): void => out(`    ${dim(label.padEnd(9))} ${text}\n`);
  const ms = (us: number): string => `${(us / 1000).toFixed(1)} ms`;

  return (event) => {
    switch (event.kind) {
      case 'planned': {
        const { plan, isolation, notes } = event;
        out(`\n${bold(plan.kind === 'PipelineRun' ? `Pipeline ${plan.pipeline}` : `Task ${plan.taskRuns[0]!.task}`)}\n`);
        out(isolation.isolated
          ? dim('  each step in its own user, pid and mount namespace\n')
          : yellow(`  not isolated (builder local-unisolated): ${printable(isolation.reason)}\n`));
        if (notes.length > 0) out(dim(`  noted, without effect here: ${noted(notes)}\n`));
        return;
      }
      case 'created':
        out(dim(`  run ${event.runUid}\n`));
        return;
      case 'step-started':
        out(`\n  ${cyan('●')} ${bold(name(event))}\n`);
        row('identity', `${bold(event.spiffeId)}  ${dim(`given in ${ms(event.elapsedUs)}, ${event.ms.toFixed(0)} ms after its first process`)}`);
        event.attested.forEach((line, index) => row(index === 0 ? 'attested' : '', line));
        return;
      case 'output':
        // what redraws itself comes as one line after the other
        for (const piece of event.line.split('\r')) out(`    ${dim('│')} ${printableLine(piece)}\n`);
        return;
      case 'step-sealed': {
        const { artifacts, elapsedUs, problems } = event.sealed;
        const what = [...(artifacts.length > 0 ? [`${artifacts.length} artifact${artifacts.length === 1 ? '' : 's'}`] : []), 'claim', 'node evidence'];
        row('sealed', `${what.join(', ')} in ${bold(ms(Number(elapsedUs)))}`);
        for (const artifact of artifacts) row('', artifactLine(artifact));
        for (const { code, message } of problems) row(red('problem'), red(printable(`${code}: ${message}`)));
        return;
      }
      case 'step-ended': {
        const { outcome, exitCode, reason, leftovers } = event;
        const why = outcome === 'succeeded' ? '' : reason === 'timeout' ? ' (timeout)' : ` (exit ${exitCode})`;
        row('ended', `${mark[outcome]} ${outcome}${why} after ${(event.ms / 1000).toFixed(2)} s${leftovers > 0 ? yellow(`; ${leftovers} process${leftovers === 1 ? '' : 'es'} left behind, killed`) : ''}`);
        return;
      }
      case 'step-skipped':
        out(`\n  ${mark.skipped} ${bold(name(event))} ${dim(`skipped: ${printable(event.reason)}`)}\n`);
        return;
      case 'task-started':
        if (event.pipelineTask !== '') out(`\n  ${bold(`task ${event.pipelineTask}`)}\n`);
        return;
      case 'task-ended':
        if (event.outcome !== 'succeeded') out(`\n  ${mark[event.outcome]} ${event.pipelineTask === '' ? 'task' : `task ${event.pipelineTask}`} ${event.outcome}${event.reason === '' ? '' : `: ${event.reason}`}\n`);
        return;
      case 'ended':
        out(`\n${mark[event.outcome]} run ${event.outcome}${event.reason === '' ? '' : `: ${event.reason}`}\n`);
    }
  };
}

/** Field names once each, without file and index: `image, description`. */
function noted(notes: readonly { readonly path: string }[]): string {
  return [...new Set(notes.map(({ path }) => path.split('.').at(-1)!))].join(', ');
}

function artifactLine({ name, sha256, path }: SealedArtifact): string {
  return `${printable(name)}  sha256:${sha256}${path === '' ? '  (by digest, no file behind it)' : ''}`;
}

/** What provenance says, in a few lines. */
export function provenanceLines(statement: { readonly subject: readonly { readonly name?: string; readonly digest: Readonly<Record<string, string>> }[] }, facts: {
  readonly builderId: string; readonly invocationId: string; readonly byproducts: number; readonly dependencies: readonly { readonly name: string; readonly digest: Readonly<Record<string, string>> }[]; readonly ms: number;
}, colour: boolean): string {
  const { bold, dim } = styles(colour);
  const row = (label: string, text: string): string => `    ${dim(label.padEnd(9))} ${text}\n`;
  return [
    `\n${bold('Provenance')} ${dim(`signed by the control plane in ${facts.ms.toFixed(1)} ms`)}\n`,
    row('builder', facts.builderId),
    row('run', facts.invocationId),
    ...statement.subject.map((subject, index) => row(index === 0 ? 'subjects' : '', `${printable(subject.name ?? '')}  sha256:${subject.digest['sha256'] ?? ''}`)),
    ...facts.dependencies.map(({ name: what, digest }, index) => row(index === 0 ? 'made from' : '', `${printable(what)}  ${Object.entries(digest).map(([algorithm, hex]) => `${algorithm}:${hex}`).join(' ')}`)),
    row('lists', `${facts.byproducts} step claims, node evidences and results, each by digest`),
  ].join('');
}

