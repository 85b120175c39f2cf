import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { parseStatement } from '../../../src/envelope/statement.ts';
import { ItemSchema } from '../../../src/rpc/gen/stepseal/seal_pb.js';
import { contentOf } from '../../../src/signer/content.ts';

const of = (what: MessageInitShape<typeof ItemSchema>['what']) => contentOf(create(ItemSchema, { name: 'x', what: what! }));
const DIGEST = 'ab'.repeat(32);

describe('what a caller asks to have sealed', () => {
  test('is an artifact by digest', () => {
    expect(of({ case: 'sha256', value: DIGEST })).toMatchObject({ kind: 'artifact', name: 'x' });
  });

  test('is a statement, put into in-toto form', () => {
    const content = of({ case: 'statement', value: { predicateType: 'https://example.com/test', predicate: utf8('{"ok":true}'), subjects: [{ name: 'a', sha256: DIGEST }] } });
    const statement = parseStatement((content as { payload: Uint8Array }).payload);
    expect(statement).toMatchObject({ predicateType: 'https://example.com/test', predicate: { ok: true }, subject: [{ name: 'a', digest: { sha256: DIGEST } }] });
  });

  test.each([
    ['nothing', undefined, 'SEAL_INVALID'],
    ['a path, where nobody can open it', { case: 'path', value: '/x' }, 'SEAL_INVALID'],
    ['a digest in upper case', { case: 'sha256', value: DIGEST.toUpperCase() }, 'HEX_INVALID'],
    ['a digest of another length', { case: 'sha256', value: 'ab' }, 'HEX_INVALID'],
    ['a predicate that is no object', { case: 'statement', value: { predicate: utf8('"x"'), predicateType: 'https://example.com/t', subjects: [{ name: 'a', sha256: DIGEST }] } }, 'STATEMENT_INVALID'],
    ['a predicate with a name twice', { case: 'statement', value: { predicate: utf8('{"a":1,"a":2}') } }, 'JSON_DUPLICATE_KEY'],
  ] as const)('is not %s', (_, what, code) => {
    expect(() => contentOf(create(ItemSchema, { name: 'x', ...(what !== undefined && { what }) } as MessageInitShape<typeof ItemSchema>))).toThrow(expect.objectContaining({ code }));
  });
});
