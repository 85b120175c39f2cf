import type { Code } from './codes.ts';
import { StepsealError } from './errors.ts';
import type { Json, JsonObject } from './json.ts';

/** Typed reading of parsed JSON: every refusal names the path, what was expected and carries the caller's code. */
export class Reader {
  private readonly code: Code;
  readonly path: string;
  readonly value: Json | undefined;

  constructor(value: Json | undefined, path: string, code: Code = 'JSON_INVALID') {
    this.value = value;
    this.path = path;
    this.code = code;
  }

  get present(): boolean {
    return this.value !== undefined;
  }

  fail(expected: string): never {
    throw new StepsealError(this.code, `${this.path} is not as it should be`, { expected, found: this.value === undefined ? 'nothing' : JSON.stringify(this.value) });
  }

  object(): JsonObject {
    return isObject(this.value) ? this.value : this.fail('an object');
  }

  /** Refuses members that are not listed. */
  only(...names: readonly string[]): this {
    for (const name of Object.keys(this.object())) if (!names.includes(name)) this.at(name).fail(`no member of this name, only ${names.join(', ')}`);
    return this;
  }

  at(name: string): Reader {
    const object = this.object();
    return new Reader(Object.hasOwn(object, name) ? object[name] : undefined, `${this.path}.${name}`, this.code);
  }

  array(): Reader[] {
    const items = Array.isArray(this.value) ? this.value : this.fail('an array');
    return items.map((item, index) => new Reader(item, `${this.path}[${index}]`, this.code));
  }

  string(expected = 'a string', accept: RegExp = /^/): string {
    return typeof this.value === 'string' && accept.test(this.value) ? this.value : this.fail(expected);
  }

  number(): number {
    return typeof this.value === 'number' ? this.value : this.fail('a number');
  }

  boolean(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.fail('true or false');
  }

  /** `use` of this reader, or undefined where the member is absent or null. */
  optional<T>(use: (reader: Reader) => T): T | undefined {
    return this.value === undefined || this.value === null ? undefined : use(this);
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
