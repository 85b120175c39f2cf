import { describe, expect, test } from 'vitest';
import { parseStatement } from '../../src/envelope/statement.ts';

const bytes = (json: unknown) => Buffer.from(JSON.stringify(json));

// in the form of the examples of in-toto attestation spec v1, statement.md and resource_descriptor.md
const statement = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'theSub', digest: { sha256: 'a1b2c3'.padEnd(64, '0') } }],
  predicateType: 'https://example.com/predicate/v1',
  predicate: { keyObj: { subKey: 'subVal' } },
};

describe('in-toto Statement v1', () => {
  test('the plain one', () => {
    expect(parseStatement(bytes(statement))).toEqual(statement);
  });

  test('a subject with everything a resource descriptor can say', () => {
    const subject = {
      name: 'theName',
      uri: 'https://example.com',
      digest: { sha256: 'a1234567b1234567c1234567d1234567e1234567f1234567a1234567b1234567' },
      downloadLocation: 'https://example.com/test.zip',
      mediaType: 'theMediaType',
      annotations: { a1: { keyNum: 13, keyStr: 'value1' }, a2: { keyObj: { subKey: 'subVal' } } },
    };
    expect(parseStatement(bytes({ ...statement, subject: [{ ...subject, content: 'Ynl0ZXMgb2YgdGhlIGNvbnRlbnQ=' }] })).subject).toEqual([subject]);
  });

  test.each<[string, string, Partial<Record<keyof typeof statement, unknown>>]>([
    ['another type', 'TYPE_MISMATCH', { _type: 'https://in-toto.io/Statement/v0.1' }],
    ['no subject', 'STATEMENT_INVALID', { subject: [] }],
    ['a subject without digest', 'STATEMENT_INVALID', { subject: [{ name: 'theSub' }] }],
    ['a digest in another encoding', 'DIGEST_INVALID', { subject: [{ name: 'theSub', digest: { sha256: 'oTIzRFZ4' } }] }],
    ['no predicate type', 'STATEMENT_INVALID', { predicateType: '' }],
  ])('is refused with %s', (_, code, change) => {
    expect(() => parseStatement(bytes({ ...statement, ...change }))).toThrow(expect.objectContaining({ code }));
  });
});
