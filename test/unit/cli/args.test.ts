import { describe, expect, test } from 'vitest';
import { parseCommandArgs } from '../../../src/cli/args.ts';
import { defineCommand } from '../../../src/cli/command.ts';

const command = defineCommand({
  name: 'try',
  summary: 'a command for this test',
  usage: 'FILE [FILE]',
  positionals: { min: 1, max: 2 },
  options: {
    identity: { value: 'PATTERN', text: 'whose', aliases: ['certificate-identity'], required: true },
    bundle: { value: 'FILE', text: 'which', multiple: true },
    level: { type: 'integer', text: 'how much', default: 3 },
    port: { type: 'integer', text: 'where', max: 65_535 },
    mode: { text: 'how', choices: ['fast', 'slow'] },
    quiet: { type: 'boolean', short: 'q', text: 'less' },
  },
  examples: [],
  run: async () => 0,
});

const parse = (...args: string[]) => parseCommandArgs(command, args);

describe('arguments of a command', () => {
  test('are read in any order, with defaults, lists and short names', () => {
    const { values, positionals, json } = parse('a', '--bundle', 'x', '-q', '--identity=me', '--json', '--bundle=y', '--', '--b');
    expect(values).toEqual({ identity: 'me', bundle: ['x', 'y'], level: 3, mode: undefined, quiet: true });
    expect(positionals).toEqual(['a', '--b']);
    expect(json).toBe(true);
  });

  test('an alias is the option itself', () => {
    expect(parse('a', '--certificate-identity', 'me').values['identity']).toBe('me');
  });

  test('an alias beside its option is given twice', () => {
    expect(() => parse('a', '--identity', 'me', '--certificate-identity', 'you')).toThrow(expect.objectContaining({ code: 'USAGE', found: 'me and you' }));
  });

  test('--help asks for nothing else', () => {
    expect(parse('--help')).toMatchObject({ help: true });
  });

  test.each([
    ['a required option that is absent', ['a'], '--identity must be given'],
    ['a value that is missing', ['a', '--identity'], '--identity needs a value'],
    ['a value for a switch', ['a', '--identity', 'me', '--quiet=yes'], '--quiet takes no value'],
    ['a word that is not among the choices', ['a', '--identity', 'me', '--mode', 'medium'], '--mode does not know this value'],
    ['a number that is none', ['a', '--identity', 'me', '--level', '1e3'], '--level is a whole number'],
    ['a number beyond what the option takes', ['a', '--identity', 'me', '--port', '65536'], '--port is a whole number'],
    ['a number beyond 2^53', ['a', '--identity', 'me', '--level', '9007199254740993'], '--level is a whole number'],
    ['no positional', ['--identity', 'me'], 'an argument is missing'],
    ['one positional too many', ['a', 'b', 'c', '--identity', 'me'], 'too many arguments'],
    ['an option given twice', ['a', '--identity', 'me', '--level', '1', '--level', '2'], '--level may be given once'],
    ['an option named like a property of every object', ['a', '--identity', 'me', '--constructor', 'x'], 'try has no option --constructor'],
  ])('%s is refused', (_, args, message) => {
    expect(() => parse(...args)).toThrow(expect.objectContaining({ code: 'USAGE', message }));
  });

  test('a mistyped option names the nearest', () => {
    expect(() => parse('a', '--identiy', 'me')).toThrow(expect.objectContaining({ code: 'USAGE', expected: '--identity' }));
  });
});
