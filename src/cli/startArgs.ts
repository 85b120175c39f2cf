import { statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { isStepsealError, StepsealError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { readValue, type Values } from '../task/value.ts';

/** `k=v` of `--param`. A value that is JSON in [], {} or "" is a list, a map or a text of its own. Throws USAGE. */
export function paramsOf(given: readonly string[]): Values {
  return Object.fromEntries(pairs('--param', given).map(([name, text]) => [name, valueOf(name, text)]));
}

/** `name=dir` of `--workspace`, relative to `cwd`. Throws USAGE for what is not a directory. */
export function workspacesOf(given: readonly string[], cwd: string): Record<string, string> {
  return Object.fromEntries(
    pairs('--workspace', given).map(([name, directory]) => {
      const path = isAbsolute(directory) ? directory : resolve(cwd, directory);
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw new StepsealError('USAGE', `workspace ${name} is not a directory`, { expected: 'an existing directory', found: path });
      return [name, path];
    }),
  );
}

function pairs(flag: string, given: readonly string[]): [string, string][] {
  const out = given.map((text): [string, string] => {
    const at = text.indexOf('=');
    if (at <= 0) throw new StepsealError('USAGE', `${flag} takes a name and a value`, { expected: `${flag} NAME=VALUE`, found: text });
    return [text.slice(0, at), text.slice(at + 1)];
  });
  const names = out.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new StepsealError('USAGE', `${flag} names ${twice} twice`);
  return out;
}

function valueOf(name: string, text: string): Values[string] {
  if (!/^(?:\[.*\]|\{.*\}|".*")$/s.test(text)) return text;
  try {
    return readValue(new Reader(parseJson(text), `--param ${name}`, 'USAGE'));
  } catch (error) {
    // not JSON after all: the text as it stands
    if (isStepsealError(error) && error.code !== 'USAGE') return text;
    throw error;
  }
}
