import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { StepsealError } from '../base/errors.ts';
import type { Command, Option } from './command.ts';
import { nearest } from './nearest.ts';

export const COMMON = {
  help: { type: 'boolean', short: 'h', text: 'print this help' },
  json: { type: 'boolean', text: 'print one JSON document instead of text' },
} as const satisfies Record<string, Option>;

interface Parsed {
  readonly values: Record<string, unknown>;
  readonly positionals: readonly string[];
  readonly help: boolean;
  readonly json: boolean;
}

/** The arguments after the command's name, checked against its table. Throws USAGE, which says what would be accepted. */
export function parseCommandArgs(command: Command, args: readonly string[]): Parsed {
  const all: Record<string, Option> = { ...command.options, ...COMMON };
  const names = namesOf(all);
  const { tokens } = tokenize(args, all, names);
  const found: Record<string, (string | boolean)[]> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const name = names[token.name];
    if (name === undefined) throw unknownOption(command, token.rawName, Object.keys(names));
    (found[name] ??= []).push(rawValue(all[name]!, token.rawName, token.value));
  }
  const help = found['help'] !== undefined;
  const values = help ? {} : readValues(command, found);
  if (!help) countPositionals(command, positionals);
  return { values, positionals, help, json: found['json'] !== undefined };
}

/** Every accepted long name, aliases included, to the option's own name. */
function namesOf(options: Record<string, Option>): Record<string, string> {
  const names: Record<string, string> = Object.create(null);
  for (const [name, option] of Object.entries(options)) for (const long of [name, ...(option.aliases ?? [])]) names[long] = name;
  return names;
}

function tokenize(args: readonly string[], all: Record<string, Option>, names: Record<string, string>) {
  const config: ParseArgsOptionsConfig = {};
  for (const [long, name] of Object.entries(names)) {
    const option = all[name]!;
    const short = long === name && option.short !== undefined ? { short: option.short } : {};
    config[long] = { type: option.type === 'boolean' ? 'boolean' : 'string', multiple: true, ...short };
  }
  return parseArgs({ args: [...args], options: config, strict: false, allowPositionals: true, tokens: true });
}

function rawValue(option: Option, rawName: string, value: string | undefined): string | boolean {
  if (option.type === 'boolean') {
    if (value !== undefined) throw new StepsealError('USAGE', `${rawName} takes no value`, { found: value });
    return true;
  }
  if (value === undefined) throw new StepsealError('USAGE', `${rawName} needs a value`, { expected: `${rawName} ${option.value ?? 'VALUE'}` });
  return value;
}

function readValues(command: Command, found: Record<string, (string | boolean)[]>): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(command.options)) {
    const given = found[name] ?? [];
    if (given.length > 1 && option.multiple !== true && option.type !== 'boolean') {
      throw new StepsealError('USAGE', `--${name} may be given once`, { found: given.join(' and ') });
    }
    const read = given.map((value) => (typeof value === 'string' ? readValue(name, option, value) : value));
    if (option.required === true && read.length === 0) {
      throw new StepsealError('USAGE', `--${name} must be given`, { expected: `--${name} ${option.value ?? 'VALUE'}: ${option.text}` });
    }
    if (option.multiple === true) values[name] = read;
    else if (option.type === 'boolean') values[name] = read.length > 0;
    else values[name] = read[0] ?? option.default;
  }
  return values;
}

function readValue(name: string, option: Option, value: string): string | number {
  if (option.choices !== undefined && !option.choices.includes(value)) {
    throw new StepsealError('USAGE', `--${name} does not know this value`, { expected: option.choices.join(', '), found: value });
  }
  if (option.type !== 'integer') return value;
  const number = Number(value);
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw new StepsealError('USAGE', `--${name} is a whole number`, { expected: `${min} to ${max}`, found: value });
  }
  return number;
}

function countPositionals(command: Command, positionals: readonly string[]): void {
  const { min, max } = command.positionals;
  if (positionals.length >= min && positionals.length <= max) return;
  const found = positionals.length === 0 ? 'none' : positionals.join(' ');
  throw new StepsealError('USAGE', positionals.length < min ? 'an argument is missing' : 'too many arguments', {
    expected: `stepseal ${[command.name, command.usage].filter(Boolean).join(' ')}`,
    found,
  });
}

function unknownOption(command: Command, rawName: string, names: readonly string[]): StepsealError {
  const close = nearest(rawName.replace(/^-+/, ''), names);
  return new StepsealError('USAGE', `${command.name} has no option ${rawName}`, {
    expected: close.length > 0 ? close.map((name) => `--${name}`).join(' or ') : `an option of \`stepseal ${command.name} --help\``,
  });
}
