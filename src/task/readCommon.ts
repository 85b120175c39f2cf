import { StepsealError } from '../base/errors.ts';
import type { Reader } from '../base/read.ts';
import { fields, list, unsupported } from './fields.ts';
import type { Note, OnError, Param, ParamSpec, ResultSpec, WhenExpression } from './model.ts';
import { readValue, typeOf, type ValueType } from './value.ts';

/** tasks.md, "Parameter name"; object parameters and their keys have no dots. */
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
const KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;
/** Result names become file names: no path characters, and not `.` or `..`. */
const RESULT = /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;

export function readParamSpecs(reader: Reader, notes: Note[]): ParamSpec[] {
  const specs = list(reader, (item) => readParamSpec(fields(item, 'paramSpec', notes), notes));
  // names are compared without case, as Tekton's validation does
  assertUnique(reader, specs.map((spec) => spec.name.toLowerCase()));
  return specs;
}

function readParamSpec(reader: Reader, notes: Note[]): ParamSpec {
  const properties = readProperties(reader.at('properties'), notes);
  const preset = reader.at('default').optional(readValue);
  const type = reader.at('type').optional(readType) ?? (properties ? 'object' : preset === undefined ? 'string' : typeOf(preset));
  const name = reader.at('name').string(type === 'object' ? 'a name without dots' : 'a parameter name', type === 'object' ? KEY : NAME);
  if (preset !== undefined && typeOf(preset) !== type) reader.at('default').fail(`a value of type ${type}`);
  if (type === 'object' && !properties) reader.at('properties').fail('the keys of the object');
  const choices = reader.at('enum').optional((values) => values.array().map((value) => value.string()));
  if (choices && type !== 'string') reader.at('enum').fail('no enum, which is for type string only');
  return {
    name,
    type,
    ...(preset === undefined ? {} : { default: preset }),
    ...(properties ? { properties } : {}),
    ...(choices ? { enum: choices } : {}),
  };
}

function readProperties(reader: Reader, notes: Note[]): string[] | undefined {
  return reader.optional((value) =>
    Object.keys(value.object()).map((key) => {
      if (!KEY.test(key)) value.at(key).fail('a key of letters, digits, _ and -');
      const type = fields(value.at(key), 'property', notes).at('type');
      if (type.present && type.value !== 'string') type.fail('string, the only type of a key');
      return key;
    }),
  );
}

function readType(reader: Reader): ValueType {
  return reader.string('string, array or object', /^(?:string|array|object)$/) as ValueType;
}

export function readParams(reader: Reader, notes: Note[]): Param[] {
  const params = list(reader, (item) => {
    fields(item, 'param', notes);
    return { name: item.at('name').string('a parameter name', NAME), value: readValue(item.at('value')) };
  });
  assertUnique(reader, params.map((param) => param.name));
  return params;
}

export function readResults(reader: Reader, kind: 'taskResult' | 'stepResult' | 'pipelineResult', notes: Note[]): ResultSpec[] {
  const results = list(reader, (item) => {
    fields(item, kind, notes);
    const properties = kind === 'pipelineResult' ? undefined : readProperties(item.at('properties'), notes);
    const value = kind === 'stepResult' ? undefined : item.at('value').optional(readValue);
    if (kind === 'pipelineResult' && value === undefined) item.at('value').fail('the value of the result');
    const type = item.at('type').optional(readType) ?? (properties ? 'object' : 'string');
    if (type === 'object' && !properties && kind !== 'pipelineResult') item.at('properties').fail('the keys of the object');
    const name = item.at('name').string('a result name of letters, digits, -, _ and .', RESULT);
    return { name, type, ...(properties ? { properties } : {}), ...(value === undefined ? {} : { value }) };
  });
  assertUnique(reader, results.map((result) => result.name));
  return results;
}

export function readWhen(reader: Reader, notes: Note[]): WhenExpression[] {
  return list(reader, (item) => {
    if (item.at('cel').present) throw unsupported(item.at('cel').path, 'input, operator and values');
    fields(item, 'when', notes);
    const values = item.at('values').array().map((value) => value.string());
    if (values.length === 0) item.at('values').fail('at least one value');
    return {
      input: item.at('input').optional((value) => value.string()) ?? '',
      operator: item.at('operator').string('in or notin', /^(?:in|notin)$/) as 'in' | 'notin',
      values,
    };
  });
}

export function readOnError(reader: Reader): OnError {
  return (reader.optional((value) => value.string('continue or stopAndFail', /^(?:continue|stopAndFail)$/)) ?? 'stopAndFail') as OnError;
}

export function assertUnique(reader: Reader, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new StepsealError('TASK_INVALID', `${reader.path} has a name twice`, { found: name });
    seen.add(name);
  }
}
