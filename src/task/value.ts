import { StepsealError } from '../base/errors.ts';
import { type Json, parseJson } from '../base/json.ts';
import { isObject, type Reader } from '../base/read.ts';

/** Types of parameters and results (Tekton: ParamType, ResultsType). */
export type ValueType = 'string' | 'array' | 'object';

/** A parameter's or a result's value: text, a list of texts, or texts by key. */
export type Value = string | readonly string[] | { readonly [key: string]: string };

export type Values = Readonly<Record<string, Value>>;

export function typeOf(value: Value): ValueType {
  if (typeof value === 'string') return 'string';
  return Array.isArray(value) ? 'array' : 'object';
}

/** Reads a value of a document: numbers and booleans are their JSON text, as Tekton's ParamValue has it. Throws the reader's code. */
export function readValue(reader: Reader): Value {
  const { value } = reader;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return JSON.stringify(value);
  return listOrMap(value) ?? reader.fail('a string, a list of strings, or a map of strings');
}

/**
 * The value of a result file's content for its declared type. As in Tekton, JSON text in quotes becomes the text
 * inside, and arrays and objects are JSON. Throws TASK_RESULT_INVALID where content and type disagree.
 */
export function parseResult(name: string, content: string, type: ValueType): Value {
  const value = looselyTyped(content);
  if (typeOf(value) === type) return value;
  throw new StepsealError('TASK_RESULT_INVALID', `result ${name} does not have the type that the Task declares`, {
    expected: type === 'string' ? 'text' : `a JSON ${type} of strings`,
    found: typeOf(value),
  });
}

function looselyTyped(content: string): Value {
  const first = content[0];
  if (first !== '[' && first !== '{' && first !== '"') return content;
  let json: Json;
  try {
    json = parseJson(content);
  } catch {
    // Tekton: what only looks like JSON is plain text
    return content;
  }
  return typeof json === 'string' ? json : (listOrMap(json) ?? content);
}

function listOrMap(value: Json | undefined): Value | undefined {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string') ? value : undefined;
  if (!isObject(value)) return undefined;
  return Object.values(value).every((item) => typeof item === 'string') ? (value as Record<string, string>) : undefined;
}
