import { fromUtf8 } from './bytes.ts';
import { StepsealError } from './errors.ts';

export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

export interface JsonLimits {
  /** bytes of input when bytes are given, UTF-16 units when a string is; default 4 MiB */
  readonly size?: number;
  /** nesting of objects and arrays; default 64 */
  readonly depth?: number;
}

const DEFAULT_SIZE = 4 * 1024 * 1024;
const DEFAULT_DEPTH = 64;

/**
 * Strict JSON (RFC 8259 and I-JSON, RFC 7493): one value and nothing after it, no BOM, no duplicate names, no lone
 * surrogates, no integer that a double would round. Objects have no prototype.
 * Throws JSON_INVALID, JSON_DUPLICATE_KEY, JSON_LIMIT, UTF8_INVALID.
 */
export function parseJson(input: Uint8Array | string, limits: JsonLimits = {}): Json {
  const size = limits.size ?? DEFAULT_SIZE;
  if (input.length > size) {
    throw new StepsealError('JSON_LIMIT', 'the document is too large', { expected: `at most ${size} bytes`, found: `${input.length} bytes` });
  }
  return new Parser(typeof input === 'string' ? input : fromUtf8(input), limits.depth ?? DEFAULT_DEPTH).document();
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
// everything up to the closing quote that needs no work: no escape, no control character
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Record<string, string> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

class Parser {
  private readonly text: string;
  private readonly maxDepth: number;
  private at = 0;
  private depth = 0;

  constructor(text: string, maxDepth: number) {
    this.text = text;
    this.maxDepth = maxDepth;
  }

  document(): Json {
    const value = this.value();
    this.space();
    if (this.at !== this.text.length) throw this.invalid('the end of the document');
    return value;
  }

  private value(): Json {
    this.space();
    switch (this.text[this.at]) {
      case '{':
        return this.nested(() => this.object());
      case '[':
        return this.nested(() => this.array());
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private nested<T>(inner: () => T): T {
    if (++this.depth > this.maxDepth) throw new StepsealError('JSON_LIMIT', 'nested too deeply', { expected: `at most ${this.maxDepth} levels` });
    this.at++;
    const value = inner();
    this.depth--;
    return value;
  }

  private object(): JsonObject {
    const out: JsonObject = Object.create(null);
    if (this.next('}')) return out;
    for (;;) {
      this.space();
      if (this.text[this.at] !== '"') throw this.invalid('a name in quotes');
      const name = this.string();
      if (Object.hasOwn(out, name)) throw new StepsealError('JSON_DUPLICATE_KEY', 'a name stands twice in one object', { found: name });
      if (!this.next(':')) throw this.invalid('a colon');
      out[name] = this.value();
      if (this.next('}')) return out;
      if (!this.next(',')) throw this.invalid('a comma or }');
    }
  }

  private array(): Json[] {
    const out: Json[] = [];
    if (this.next(']')) return out;
    for (;;) {
      out.push(this.value());
      if (this.next(']')) return out;
      if (!this.next(',')) throw this.invalid('a comma or ]');
    }
  }

  private string(): string {
    this.at++;
    let out = '';
    for (;;) {
      PLAIN.lastIndex = this.at;
      const run = PLAIN.exec(this.text)![0];
      this.at += run.length;
      out = out === '' ? run : out + run;
      const char = this.text[this.at++];
      if (char === '"') break;
      if (char !== '\\') throw this.invalid('an escaped character or a closing quote');
      out += this.escape();
    }
    if (!out.isWellFormed()) throw new StepsealError('JSON_INVALID', 'a lone surrogate in a string', { expected: 'well-formed Unicode (RFC 7493 section 2.1)' });
    return out;
  }

  private escape(): string {
    const char = this.text[this.at++] ?? '';
    if (char !== 'u') {
      const plain = ESCAPES[char];
      if (plain === undefined) throw this.invalid('a JSON escape');
      return plain;
    }
    const digits = this.text.slice(this.at, this.at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.invalid('four hexadecimal digits');
    this.at += 4;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  private number(): number {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (!match) throw this.invalid('a JSON value');
    const value = Number(match[0]);
    const whole = match[1] === undefined && match[2] === undefined;
    if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
      throw new StepsealError('JSON_LIMIT', 'a number that a double cannot hold', { expected: 'an integer below 2^53', found: match[0] });
    }
    this.at += match[0].length;
    return value;
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.invalid('a JSON value');
    this.at += word.length;
    return value;
  }

  private next(char: string): boolean {
    this.space();
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }

  private invalid(expected: string): StepsealError {
    return new StepsealError('JSON_INVALID', `not JSON at character ${this.at}`, { expected, found: this.text.slice(this.at, this.at + 20) });
  }
}

/**
 * RFC 8785 (JCS): names in UTF-16 order, ECMAScript numbers, no white space. `undefined` members are left out.
 * Throws JSON_INVALID for what JSON cannot hold (NaN, infinity, lone surrogates).
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new StepsealError('JSON_INVALID', 'not a JSON number', { found: String(value) });
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new StepsealError('JSON_INVALID', 'a lone surrogate in a string');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || !isPlain(value)) throw new StepsealError('JSON_INVALID', `a ${typeof value} of this kind has no JSON form`);
  let out = '';
  // the default order of Array#sort on strings is UTF-16 code units, as section 3.2.3 wants
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member !== undefined) out += `${out === '' ? '' : ','}${canonicalJson(name)}:${canonicalJson(member)}`;
  }
  return `{${out}}`;
}

// a Date, a Map or bytes would become an object of something else without a word
function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
