import { StepsealError } from '../base/errors.ts';
import type { ParamSpec } from './model.ts';
import { typeOf, type Value, type Values, type ValueType } from './value.ts';
import { ANY_ARRAY, type Lookup, select, substituteValue } from './variables.ts';

/**
 * Values for every declared parameter: given ones, else defaults; an object takes missing keys from its default.
 * Defaults may name other parameters. Throws TASK_PARAM_MISSING, TASK_PARAM_INVALID (type, enum, not declared),
 * TASK_VARIABLE_UNKNOWN.
 */
export function bindParams(specs: readonly ParamSpec[], given: Values, place: string): Values {
  for (const name of Object.keys(given)) {
    if (specs.some((spec) => spec.name === name)) continue;
    throw invalid(place, name, `one of ${specs.map((spec) => spec.name).join(', ') || 'none'}`, 'a parameter that is not declared');
  }
  const bound = new Map<string, Value>();
  const open = new Set<string>();
  const bind = (spec: ParamSpec): Value => {
    const known = bound.get(spec.name);
    if (known !== undefined) return known;
    if (open.has(spec.name)) throw invalid(place, spec.name, 'a default that does not need itself', 'a circle of defaults');
    open.add(spec.name);
    const value = complete(spec, given[spec.name], place, lookupParam(specs, bind));
    bound.set(spec.name, value);
    return value;
  };
  for (const spec of specs) bind(spec);
  return Object.fromEntries(bound);
}

function complete(spec: ParamSpec, given: Value | undefined, place: string, lookup: Lookup): Value {
  const where = `${place}: default of parameter ${spec.name}`;
  const partial = spec.type === 'object' && given !== undefined && typeOf(given) === 'object';
  const preset = spec.default !== undefined && (given === undefined || partial) ? substituteValue(spec.default, lookup, where) : undefined;
  const value: Value | undefined = partial ? { ...(preset as object | undefined), ...(given as Record<string, string>) } : (given ?? preset);
  if (value === undefined) throw new StepsealError('TASK_PARAM_MISSING', `${place}: parameter ${spec.name} has no value`, { expected: spec.type });
  if (typeOf(value) !== spec.type) throw invalid(place, spec.name, spec.type, typeOf(value));
  const missing = spec.type === 'object' ? spec.properties?.find((key) => !Object.hasOwn(value as object, key)) : undefined;
  if (missing !== undefined) throw new StepsealError('TASK_PARAM_MISSING', `${place}: parameter ${spec.name} lacks the key ${missing}`);
  if (spec.enum && !(value as string).includes(PENDING) && !spec.enum.includes(value as string)) {
    throw invalid(place, spec.name, `one of ${spec.enum.join(', ')}`, value as string);
  }
  return value;
}

function lookupParam(specs: readonly ParamSpec[], bind: (spec: ParamSpec) => Value): Lookup {
  return ({ path: [root, name, ...keys], index }) => {
    const spec = root === 'params' ? specs.find((item) => item.name === name) : undefined;
    return spec && select(bind(spec), keys, index, true);
  };
}

function invalid(place: string, name: string, expected: string, found: string): StepsealError {
  return new StepsealError('TASK_PARAM_INVALID', `${place}: parameter ${name} cannot have this value`, { expected, found });
}

/** A text that is only known while the run goes on, such as a task's result; checked again when it is known. U+FDD0 is a noncharacter. */
export const PENDING = '\uFDD0pending';

/** A value of the declared type whose content is not known yet. */
export function pending(spec: { readonly type: ValueType; readonly properties?: readonly string[] }): Value {
  if (spec.type === 'string') return PENDING;
  return spec.type === 'array' ? ANY_ARRAY : Object.fromEntries((spec.properties ?? []).map((key) => [key, PENDING]));
}

/** Looks up `params.…` among values that are there. */
export function paramValue(params: Values, keys: readonly string[], index: number | '*' | undefined): Value | undefined {
  const [name, ...rest] = keys;
  return name !== undefined && Object.hasOwn(params, name) ? select(params[name]!, rest, index, true) : undefined;
}
