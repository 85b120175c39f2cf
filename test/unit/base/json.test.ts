import { describe, expect, test } from 'vitest';
import { type Code, isStepsealError } from '../../../src/base/errors.ts';
import { canonicalJson, parseJson } from '../../../src/base/json.ts';

function codeOf(run: () => unknown): Code | undefined {
  try {
    run();
  } catch (error) {
    if (isStepsealError(error)) return error.code;
    throw error;
  }
  return undefined;
}

describe('parseJson accepts what JSON.parse accepts', () => {
  test.each([
    'null',
    ' true ',
    '[]',
    '{}',
    '[1,-0,0.5,1e3,1E-2,-12.25e+1,9007199254740991,1e300]',
    '{"a":{"b":[{"c":"d"}]},"e":null}',
    String.raw`"\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude00 é 😀"`,
    '\t\r\n [ 1 , 2 ] \n',
    '{"__proto__":1,"constructor":2,"toString":3}',
    '{"":1," ":2}',
  ])('%s', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
    expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text));
  });

  test('objects have no prototype, so a name from the input is never an inherited one', () => {
    const value = parseJson('{"__proto__":{"polluted":true}}') as Record<string, unknown>;
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect('polluted' in {}).toBe(false);
  });
});

describe('parseJson refuses', () => {
  test.each<[string, string, Code]>([
    ['nothing', '', 'JSON_INVALID'],
    ['blanks', '  ', 'JSON_INVALID'],
    ['a byte order mark', '\ufeff{}', 'JSON_INVALID'],
    ['a second value', '{} {}', 'JSON_INVALID'],
    ['a comma at the end', '[1,]', 'JSON_INVALID'],
    ['a comma at the end of an object', '{"a":1,}', 'JSON_INVALID'],
    ['a missing colon', '{"a" 1}', 'JSON_INVALID'],
    ['a name without quotes', '{a:1}', 'JSON_INVALID'],
    ['single quotes', "'a'", 'JSON_INVALID'],
    ['a comment', '/* */ 1', 'JSON_INVALID'],
    ['an open array', '[1', 'JSON_INVALID'],
    ['an open string', '"a', 'JSON_INVALID'],
    ['an open escape', '"\\', 'JSON_INVALID'],
    ['an unknown escape', '"\\x41"', 'JSON_INVALID'],
    ['an escape of prototype names', '"\\constructor"', 'JSON_INVALID'],
    ['a short unicode escape', '"\\u12"', 'JSON_INVALID'],
    ['a control character in a string', '"a\nb"', 'JSON_INVALID'],
    ['a zero byte in a string', '"a\u0000"', 'JSON_INVALID'],
    ['a lone high surrogate', '"\\ud800"', 'JSON_INVALID'],
    ['a lone low surrogate', '"\\udc00a"', 'JSON_INVALID'],
    ['a lone surrogate in a name', '{"\\ud800":1}', 'JSON_INVALID'],
    ['a leading zero', '01', 'JSON_INVALID'],
    ['a plus', '+1', 'JSON_INVALID'],
    ['a point without digits', '1.', 'JSON_INVALID'],
    ['an exponent without digits', '1e', 'JSON_INVALID'],
    ['hexadecimal', '0x10', 'JSON_INVALID'],
    ['NaN', 'NaN', 'JSON_INVALID'],
    ['Infinity', 'Infinity', 'JSON_INVALID'],
    ['a word that only begins right', 'nulll', 'JSON_INVALID'],
    ['a no-break space between tokens', '[1,\u00a02]', 'JSON_INVALID'],
    ['a name twice', '{"a":1,"a":1}', 'JSON_DUPLICATE_KEY'],
    ['a name twice, one escaped', '{"a":1,"\\u0061":2}', 'JSON_DUPLICATE_KEY'],
    ['a name twice, deep inside', '[{"b":{"a":1,"c":2,"a":3}}]', 'JSON_DUPLICATE_KEY'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 'JSON_DUPLICATE_KEY'],
    ['an integer that a double rounds', '12345678901234567890', 'JSON_LIMIT'],
    ['2^53', '9007199254740992', 'JSON_LIMIT'],
    ['-2^53', '-9007199254740992', 'JSON_LIMIT'],
    ['a number beyond the range', '1e400', 'JSON_LIMIT'],
    ['65 levels', '['.repeat(65) + ']'.repeat(65), 'JSON_LIMIT'],
    ['65 levels of objects', '{"a":'.repeat(65) + '1' + '}'.repeat(65), 'JSON_LIMIT'],
  ])('%s', (_, text, code) => {
    expect(codeOf(() => parseJson(text))).toBe(code);
  });

  test('bytes that are not UTF-8', () => {
    expect(codeOf(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)))).toBe('UTF8_INVALID');
    // an overlong encoding of "/"
    expect(codeOf(() => parseJson(Uint8Array.of(0x22, 0xc0, 0xaf, 0x22)))).toBe('UTF8_INVALID');
    // a surrogate in UTF-8
    expect(codeOf(() => parseJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)))).toBe('UTF8_INVALID');
    expect(codeOf(() => parseJson(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31)))).toBe('JSON_INVALID');
  });

  test('more bytes than the limit, before it reads them', () => {
    expect(codeOf(() => parseJson(new Uint8Array(50 * 1024 * 1024)))).toBe('JSON_LIMIT');
    expect(codeOf(() => parseJson('[1]', { size: 2 }))).toBe('JSON_LIMIT');
    expect(parseJson('[1]', { size: 3 })).toEqual([1]);
  });

  test('one level more than the limit, and takes exactly the limit', () => {
    expect(parseJson('[[1]]', { depth: 2 })).toEqual([[1]]);
    expect(codeOf(() => parseJson('[[[1]]]', { depth: 2 }))).toBe('JSON_LIMIT');
    // breadth is not depth
    expect(parseJson('[[],[],[]]', { depth: 2 })).toEqual([[], [], []]);
  });
});

describe('canonicalJson', () => {
  test('leaves out members that are undefined and keeps null', () => {
    expect(canonicalJson({ b: undefined, a: null })).toBe('{"a":null}');
  });

  test.each([
    ['NaN', Number.NaN],
    ['infinity', [Number.POSITIVE_INFINITY]],
    ['a lone surrogate', '\ud800'],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['undefined in an array', [undefined]],
    ['a symbol', Symbol('a')],
    ['a date', new Date(0)],
    ['bytes', Uint8Array.of(1)],
    ['a map', new Map([['a', 1]])],
  ])('refuses %s', (_, value) => {
    expect(codeOf(() => canonicalJson(value))).toBe('JSON_INVALID');
  });

  test('refuses a name that is not Unicode', () => {
    expect(codeOf(() => canonicalJson({ '\udc00': 1 }))).toBe('JSON_INVALID');
  });
});
