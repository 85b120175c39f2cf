import { StepsealError } from '../base/errors.ts';
import type { Value } from './value.ts';

/** `$(params.a["x.y"][0])` is path `params`, `a`, `x.y` and index 0. */
export interface Reference {
  /** as written, without `$(` and `)` */
  readonly text: string;
  readonly path: readonly string[];
  readonly index?: number | '*';
}

/** The value of a reference; undefined where nothing has this name. May throw with its own reason. */
export type Lookup = (reference: Reference) => Value | undefined;

/** What may stand at the beginning of a variable (docs/variables.md of Tekton); every other `$(…)` belongs to a shell. */
const ROOTS = 'params|results|step|steps|artifacts|workspaces|context|tasks|finally|inputs|credentials';
const VARIABLE = new RegExp(String.raw`\$\(((?:${ROOTS})[.[][^()\s]*)\)`, 'g');
const SEGMENT = /\.([A-Za-z0-9_-]+)|\["([^"\]]+)"\]|\['([^'\]]+)'\]|\[(\d{1,9}|\*)\]$/y;

/** The variables of a text in order. Throws TASK_VARIABLE_UNKNOWN for one that is not written as Tekton writes them. */
export function references(text: string, place: string): Reference[] {
  return Array.from(text.matchAll(VARIABLE), (match) => parseReference(match[1]!, place));
}

function parseReference(text: string, place: string): Reference {
  const path = [/^[a-z]+/.exec(text)![0]];
  let index: number | '*' | undefined;
  SEGMENT.lastIndex = path[0]!.length;
  while (SEGMENT.lastIndex < text.length) {
    const match = SEGMENT.exec(text);
    if (!match) throw unknown(text, place);
    if (match[4] === undefined) path.push((match[1] ?? match[2] ?? match[3])!);
    else index = match[4] === '*' ? '*' : Number(match[4]);
  }
  return index === undefined ? { text, path } : { text, path, index };
}

export function unknown(text: string, place: string, why = 'nothing has this name here'): StepsealError {
  return new StepsealError('TASK_VARIABLE_UNKNOWN', `${place}: ${why}`, { found: `$(${text})` });
}

/**
 * Replaces every variable of a text in one pass: what a value contains is never looked at again.
 * Throws TASK_VARIABLE_UNKNOWN, and TASK_VARIABLE_TYPE for a whole array or object inside a text.
 */
export function substitute(text: string, lookup: Lookup, place: string): string {
  return text.replaceAll(VARIABLE, (_, inner: string) => {
    const value = resolve(parseReference(inner, place), lookup, place);
    if (typeof value === 'string') return value;
    throw new StepsealError('TASK_VARIABLE_TYPE', `${place}: a whole array or object cannot stand inside a text`, { found: `$(${inner})` });
  });
}

/** As `substitute` for each item; an item that is nothing but an array variable becomes its elements. */
export function substituteList(items: readonly string[], lookup: Lookup, place: string): string[] {
  return items.flatMap((item, i) => {
    const whole = wholeValue(item, lookup, `${place}[${i}]`);
    return Array.isArray(whole) ? (whole as string[]) : [substitute(item, lookup, `${place}[${i}]`)];
  });
}

/** As `substitute`; a text that is nothing but an array or object variable becomes that array or object. */
export function substituteValue(value: Value, lookup: Lookup, place: string): Value {
  if (Array.isArray(value)) return substituteList(value as string[], lookup, place);
  if (typeof value !== 'string') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, substitute(item, lookup, `${place}.${key}`)]));
  }
  return wholeValue(value, lookup, place) ?? substitute(value, lookup, place);
}

/** The value of a text that is one variable and nothing else; undefined for every other text. */
function wholeValue(text: string, lookup: Lookup, place: string): Value | undefined {
  const [reference, ...more] = references(text, place);
  if (reference === undefined || more.length > 0 || text !== `$(${reference.text})`) return undefined;
  return resolve(reference, lookup, place);
}

function resolve(reference: Reference, lookup: Lookup, place: string): Value {
  const value = lookup(reference);
  if (value === undefined) throw unknown(reference.text, place);
  return value;
}

/** Stands for an array whose elements are not known yet: any index has a value. */
export const ANY_ARRAY: readonly string[] = Object.freeze(['']);

/**
 * `[0]`, `[*]` or `.key` of a parameter's or result's value; undefined where it has none such. `keys` is the rest
 * of the path. A bare array is accepted for parameters only, as in Tekton.
 */
export function select(value: Value, keys: readonly string[], index: number | '*' | undefined, bareArray: boolean): Value | undefined {
  if (typeof value === 'string') return keys.length === 0 && index === undefined ? value : undefined;
  if (Array.isArray(value)) {
    if (keys.length > 0) return undefined;
    if (typeof index === 'number') return value === ANY_ARRAY ? '' : (value as string[])[index];
    return index === '*' || bareArray ? value : undefined;
  }
  if (keys.length === 0) return index === '*' ? value : undefined;
  const object = value as Record<string, string>;
  return keys.length === 1 && index === undefined && Object.hasOwn(object, keys[0]!) ? object[keys[0]!] : undefined;
}
