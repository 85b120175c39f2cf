import { describe, expect, test } from 'vitest';
import { CODES } from '../../../src/base/codes.ts';
import { asStepsealError, describeError, isStepsealError, StepsealError } from '../../../src/base/errors.ts';
import { outcomeOf } from '../../../src/base/outcome.ts';
import { Reader } from '../../../src/base/read.ts';

describe('StepsealError', () => {
  test('is an Error with a code, a kind, and one line for people', () => {
    const error = new StepsealError('HEX_INVALID', 'not hex', { expected: 'pairs', found: 'zz' });
    expect(error).toBeInstanceOf(Error);
    expect(error.kind).toBe('invalid');
    expect(describeError(error)).toBe('HEX_INVALID: not hex; expected pairs; found zz');
    expect(error.stack).toContain('errors.test');
  });

  test('shortens what was found', () => {
    const error = new StepsealError('HEX_INVALID', 'not hex', { found: 'a'.repeat(5000) });
    expect(error.found).toBe(`${'a'.repeat(200)}… (5000 characters)`);
  });

  test('keeps an error of ours and wraps others', () => {
    const ours = new StepsealError('USAGE', 'so');
    expect(asStepsealError(ours, 'INTERNAL', 'else')).toBe(ours);
    const cause = new Error('disk');
    const wrapped = asStepsealError(cause, 'INTERNAL', 'could not');
    expect(wrapped).toMatchObject({ code: 'INTERNAL', message: 'could not', cause });
    expect(isStepsealError(cause)).toBe(false);
    expect(describeError(cause)).toBe('disk');
    expect(describeError('text')).toBe('text');
  });

  test('every code has an exit code, a gRPC status and an HTTP status', () => {
    for (const kind of Object.values(CODES)) expect(outcomeOf(kind)).toMatchObject({ exit: expect.any(Number), grpc: expect.any(Number), http: expect.any(Number) });
  });
});

describe('Reader', () => {
  const json = { list: [{ name: 'a' }], flag: true, count: 3, nothing: null };
  const reader = new Reader(json, 'doc', 'USAGE');

  test('reads what is there', () => {
    expect(reader.at('list').array()[0]!.at('name').string()).toBe('a');
    expect(reader.at('flag').boolean()).toBe(true);
    expect(reader.at('count').number()).toBe(3);
    expect(reader.at('nothing').optional((value) => value.string())).toBeUndefined();
    expect(reader.at('missing').present).toBe(false);
    expect(reader.only('list', 'flag', 'count', 'nothing')).toBe(reader);
  });

  test.each<[string, () => unknown, string]>([
    ['a missing member', () => reader.at('list').array()[0]!.at('id').string(), 'doc.list[0].id'],
    ['a member that is not listed', () => reader.only('list'), 'doc.flag'],
    ['another type', () => reader.at('flag').number(), 'doc.flag'],
    ['an object where a list is due', () => reader.array(), 'doc'],
    ['a list where an object is due', () => reader.at('list').object(), 'doc.list'],
    ['text of another form', () => reader.at('list').array()[0]!.at('name').string('digits', /^\d+$/), 'doc.list[0].name'],
    ['an inherited name', () => reader.at('toString').string(), 'doc.toString'],
  ])('names the place of %s, with the code it was given', (_, read, path) => {
    expect(read).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(`${path} is not as it should be`) }));
  });
});
