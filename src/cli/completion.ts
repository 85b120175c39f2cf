import { StepsealError } from '../base/errors.ts';
import { COMMON } from './args.ts';
import { defineCommand, type Command, type Option } from './command.ts';
import { TABLE } from './table.ts';

interface Flag extends Option {
  readonly long: string;
}

interface Entry {
  readonly command: Command;
  readonly flags: readonly Flag[];
}

const WRITERS: Record<string, (entries: readonly Entry[]) => string> = { bash, fish, zsh };

export const command = defineCommand({
  name: 'completion',
  summary: 'print the completion script of a shell',
  usage: 'SHELL',
  positionals: { min: 1, max: 1 },
  description: 'SHELL is bash, zsh or fish. The script is made from the same table as --help.',
  options: {},
  examples: [
    { line: 'source <(stepseal completion bash)', text: 'for this shell' },
    { line: 'stepseal completion fish > ~/.config/fish/completions/stepseal.fish', text: 'for good' },
  ],
  run: async ({ positionals, json, io }) => {
    const [shell = ''] = positionals;
    const write = Object.hasOwn(WRITERS, shell) ? WRITERS[shell] : undefined;
    if (write === undefined) throw new StepsealError('USAGE', 'this shell is not known', { expected: Object.keys(WRITERS).join(', '), found: shell });
    const loaded = await Promise.all(TABLE.map((entry) => entry.load()));
    const entries = loaded.map(({ command: each }) => ({
      command: each,
      flags: Object.entries<Option>({ ...each.options, ...COMMON }).flatMap(([name, option]) =>
        [name, ...(option.aliases ?? [])].map((long) => ({ ...option, long })),
      ),
    }));
    io.out(json ? `${JSON.stringify({ shell, script: write(entries) })}\n` : write(entries));
    return 0;
  },
});

const takesValue = (flag: Option) => flag.type !== 'boolean';

function bash(entries: readonly Entry[]): string {
  const cases = entries.map(({ command: { name }, flags }) => `    ${name}) flags='${flags.map(({ long }) => `--${long}`).join(' ')}' ;;`);
  const choices = entries.flatMap(({ command: { name }, flags }) =>
    flags.flatMap((flag) => (flag.choices === undefined ? [] : [`    '${name} --${flag.long}') words='${flag.choices.join(' ')}' ;;`])),
  );
  return `# stepseal completion for bash; made by \`stepseal completion bash\`
_stepseal() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} flags= words=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '${[...entries.map(({ command: { name } }) => name), 'help', '--help', '--version'].join(' ')}' -- "$current")
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  case "\${COMP_WORDS[1]} $previous" in
    'completion completion') words='${Object.keys(WRITERS).join(' ')}' ;;
${choices.join('\n')}
  esac
  if [[ -n $words ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
  else
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -F _stepseal stepseal ./stepseal
`;
}

/** Text inside an _arguments specification: brackets and colons are its syntax, the quote is the shell's. */
const zshText = (text: string) => text.replace(/[[\]:\\]/g, '\\$&').replaceAll("'", "'\\''");

function zsh(entries: readonly Entry[]): string {
  const commands = entries.map(({ command: { name, summary } }) => `    '${name}:${zshText(summary)}'`);
  const cases = entries.map(({ command: { name }, flags }) => {
    const specs = flags.map((flag) => {
      const repeat = flag.multiple === true ? '*' : '';
      return `        '${repeat}--${flag.long}[${zshText(flag.text)}]${takesValue(flag) ? `:${(flag.value ?? 'value').toLowerCase()}:${zshAction(flag)}` : ''}' \\`;
    });
    const rest = name === 'completion' ? `'1:shell:(${Object.keys(WRITERS).join(' ')})'` : "'*:file:_files'";
    return `      ${name})\n        _arguments \\\n${specs.join('\n')}\n        ${rest} ;;`;
  });
  return `#compdef stepseal
# stepseal completion for zsh; made by \`stepseal completion zsh\`
_stepseal() {
  local -a commands
  commands=(
${commands.join('\n')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
  else
    local name=\${words[2]}
    shift words
    ((CURRENT--))
    case $name in
${cases.join('\n')}
    esac
  fi
}
compdef _stepseal stepseal
`;
}

function zshAction(flag: Flag): string {
  if (flag.choices !== undefined) return `(${flag.choices.join(' ')})`;
  if (flag.value === 'DIR') return '_files -/';
  return flag.value === 'FILE' ? '_files' : ' ';
}

const fishText = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;

function fish(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ command: { name, summary }, flags }) => [
    `complete -c stepseal -f -n __fish_use_subcommand -a ${name} -d ${fishText(summary)}`,
    ...flags.map((flag) => {
      const kind = takesValue(flag) ? (flag.value === 'FILE' || flag.value === 'DIR' ? ' -r -F' : ' -x') : '';
      const words = flag.choices === undefined ? '' : ` -a ${fishText(flag.choices.join(' '))}`;
      return `complete -c stepseal -n '__fish_seen_subcommand_from ${name}' -l ${flag.long}${kind}${words} -d ${fishText(flag.text)}`;
    }),
  ]);
  const shells = `complete -c stepseal -f -n '__fish_seen_subcommand_from completion' -a '${Object.keys(WRITERS).join(' ')}'`;
  return `# stepseal completion for fish; made by \`stepseal completion fish\`\n${lines.join('\n')}\n${shells}\n`;
}
