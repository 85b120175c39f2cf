/** Flags of a command; the key is the long name: `{ 'trust-domain': { value: 'NAME', text: '…' } }`. */
export interface Option {
  /** default `string`; `integer` is a decimal number */
  readonly type?: 'string' | 'boolean' | 'integer';
  /** what stands for the value in the help, such as FILE, DIR, URL; FILE and DIR complete as such in a shell */
  readonly value?: string;
  readonly text: string;
  readonly short?: string;
  /** may be given several times; collected in order */
  readonly multiple?: boolean;
  /** smallest and largest value of an `integer`, 0 and 2^53-1 unless they say otherwise */
  readonly min?: number;
  readonly max?: number;
  /** used when the flag is absent; printed in the help */
  readonly default?: string | number;
  /** absent is USAGE */
  readonly required?: boolean;
  /** other long names for the same flag; not in the help's list but in its text */
  readonly aliases?: readonly string[];
  readonly choices?: readonly string[];
}

export type Options = Readonly<Record<string, Option>>;

type ValueOf<O extends Option> = O['type'] extends 'boolean' ? boolean : O['type'] extends 'integer' ? number : string;

/** What `run` gets: lists where `multiple`, always present where `required` or with a `default`, booleans false when absent. */
export type Values<O extends Options> = {
  readonly [K in keyof O]: O[K] extends { multiple: true }
    ? readonly ValueOf<O[K]>[]
    : O[K] extends { type: 'boolean' } | { required: true } | { default: string | number }
      ? ValueOf<O[K]>
      : ValueOf<O[K]> | undefined;
};

/** The process around a command; the only way to it, so that commands can be called in tests. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** stdout and stderr; the text goes out as it is, newline included by the caller */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** colours are welcome on stdout: a terminal, and neither NO_COLOR nor TERM=dumb */
  readonly colour: boolean;
  /** stdout is a terminal */
  readonly terminal: boolean;
  /** Aborted by SIGINT or SIGTERM; without this call those signals end the process at once, as usual. */
  readonly stopSignal: () => AbortSignal;
  /** Resolves when standard input has ended: its other end is gone. */
  readonly inputEnd: () => Promise<void>;
}

export interface Invocation<O extends Options> {
  readonly values: Values<O>;
  readonly positionals: readonly string[];
  /** `--json` was given: one JSON document on stdout, nothing else there */
  readonly json: boolean;
  readonly io: Io;
}

export interface Command<O extends Options = Options> {
  readonly name: string;
  /** one line, lower case, no full stop */
  readonly summary: string;
  /** positionals as the usage line shows them, such as `ARTIFACT` or `[FILE...]` */
  readonly usage: string;
  /** how many positionals are accepted */
  readonly positionals: { readonly min: number; readonly max: number };
  /** paragraphs for `--help`, below the usage line */
  readonly description?: string;
  /** `--help` and `--json` are added to each */
  readonly options: O;
  readonly examples: readonly { readonly line: string; readonly text: string }[];
  /** Resolves to the exit code: 0 pass, 1 fail, 3 unavailable; a StepsealError thrown is printed and becomes its own. */
  readonly run: (invocation: Invocation<O>) => Promise<number>;
}

/** Types `run` by the command's own options, then forgets them, so that all commands fit one table. */
export function defineCommand<const O extends Options>(command: Command<O>): Command {
  return command as unknown as Command;
}
