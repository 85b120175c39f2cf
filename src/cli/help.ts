import { COMMON } from './args.ts';
import type { Command, Io, Option } from './command.ts';
import { styles } from './style.ts';
import { TABLE } from './table.ts';

/** What a terminal of usual width shows in one line. */
const LINE = 118;
const INTRO = 'Every Tekton build step seals what it built with the identity it ran under, and anyone can check the whole chain.';

/** What `stepseal --help` prints. */
export function overview(io: Io): string {
  const { bold } = styles(io.colour);
  return [
    INTRO,
    '',
    `${bold('Usage')}  stepseal COMMAND [OPTION...]`,
    '',
    bold('Commands'),
    ...columns(TABLE.map(({ name, summary }) => [name, summary] as const)),
    '',
    bold('Examples'),
    ...columns([
      ['stepseal start', 'run the example Task and see the whole chain'],
      ['stepseal start build.yaml --param version=1.2', 'run your own Task or Pipeline'],
      ['stepseal COMMAND --help', 'options and examples of a command'],
    ]),
    '',
    'Exit codes: 0 pass, 1 fail, 2 usage, 3 unavailable. Error codes are explained in docs/errors.md.',
    '',
  ].join('\n');
}

/** What `stepseal COMMAND --help` prints. */
export function commandHelp(command: Command, io: Io): string {
  const { bold } = styles(io.colour);
  const description = command.description === undefined ? [] : ['', command.description];
  return [
    `${bold('Usage')}  stepseal ${[command.name, command.usage, '[OPTION...]'].filter(Boolean).join(' ')}`,
    '',
    `${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`,
    ...description,
    '',
    bold('Options'),
    ...columns(Object.entries<Option>({ ...command.options, ...COMMON }).map(([name, option]) => [flag(name, option), optionText(option)] as const)),
    '',
    bold('Examples'),
    ...command.examples.flatMap(({ line, text }) => [`  # ${text}`, `  ${line}`]),
    '',
  ].join('\n');
}

function flag(name: string, option: Option): string {
  const short = option.short === undefined ? '' : `-${option.short}, `;
  const value = option.type === 'boolean' ? '' : ` ${option.value ?? (option.type === 'integer' ? 'N' : 'VALUE')}`;
  return `${short}--${name}${value}${option.multiple === true ? '...' : ''}`;
}

function optionText(option: Option): string {
  const notes = [
    option.required === true ? 'must be given' : '',
    option.choices === undefined ? '' : `one of ${option.choices.join(', ')}`,
    option.default === undefined ? '' : `default ${option.default}`,
    option.aliases === undefined ? '' : `also ${option.aliases.map((name) => `--${name}`).join(', ')}`,
  ].filter(Boolean);
  return notes.length === 0 ? option.text : `${option.text} (${notes.join('; ')})`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => {
    const lines = wrapped(right, LINE - width - 4);
    if (left.length > width) lines.unshift('');
    return lines.map((line, index) => `  ${(index === 0 ? left : '').padEnd(width)}  ${line}`.trimEnd()).join('\n');
  });
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && longer.length > width) lines.push(line);
    line = line !== '' && longer.length > width ? word : longer;
  }
  return [...lines, line];
}
