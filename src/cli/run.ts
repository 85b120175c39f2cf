import { asStepsealError, describeError, StepsealError } from '../base/errors.ts';
import { outcomeOf } from '../base/outcome.ts';
import { parseCommandArgs } from './args.ts';
import type { Io } from './command.ts';
import { nearest } from './nearest.ts';
import { printable } from './printable.ts';
import { TABLE } from './table.ts';

/** One call of the program, arguments without node and script. Resolves to the exit code; never rejects. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(args, io);
  } catch (thrown) {
    const error = asStepsealError(thrown, 'INTERNAL', 'a fault in Stepseal');
    if (args.includes('--json')) io.out(`${JSON.stringify({ error: errorJson(error) })}\n`);
    else io.err(`stepseal: ${describeError(error).split('\n').map(printable).join('\n')}\n`);
    // the trace of a foreign error is what a report needs
    if (error.code === 'INTERNAL' && error.cause instanceof Error) io.err(`${error.cause.stack ?? error.cause.message}\n`);
    return outcomeOf(error.kind).exit;
  }
}

async function dispatch(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    const subject = name === 'help' ? rest[0] : undefined;
    if (subject !== undefined) return dispatch([subject, '--help'], io);
    const { overview } = await import('./help.ts');
    (name === undefined ? io.err : io.out)(overview(io));
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-V' || name === 'version') {
    const { version } = await import('./version.ts');
    io.out(rest.includes('--json') ? `${JSON.stringify({ version, node: process.version })}\n` : `stepseal ${version}\n`);
    return 0;
  }
  const entry = TABLE.find((candidate) => candidate.name === name);
  if (entry === undefined) throw unknownCommand(name);
  const { command } = await entry.load();
  const { values, positionals, help, json } = parseCommandArgs(command, rest);
  if (help) {
    const { commandHelp } = await import('./help.ts');
    io.out(commandHelp(command, io));
    return 0;
  }
  return command.run({ values: values as never, positionals, json, io });
}

function unknownCommand(name: string): StepsealError {
  const close = nearest(name, TABLE.map((entry) => entry.name));
  return new StepsealError('USAGE', `there is no command ${name}`, {
    expected: close.length > 0 ? close.join(' or ') : 'a command of `stepseal --help`',
  });
}

function errorJson(error: StepsealError): Record<string, string> {
  const { code, message, expected, found } = error;
  return { code, message, ...(expected === undefined ? {} : { expected }), ...(found === undefined ? {} : { found }) };
}
