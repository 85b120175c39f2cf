import { describe, expect, test } from 'vitest';
import { matchSubjects } from '../../../src/envelope/subject.ts';
import { encodeStatement, parseStatement, STATEMENT_TYPE, type Statement } from '../../../src/envelope/statement.ts';
import { STATEMENT } from './sample.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const sha256 = 'a'.repeat(64);
const sha512 = 'b'.repeat(128);
const bytes = (json: unknown) => Buffer.from(typeof json === 'string' ? json : JSON.stringify(json));
const withDigest = (digest: unknown) => bytes({ ...STATEMENT, subject: [{ name: 'a', digest }] });

describe('parseStatement', () => {
  test('reads what encodeStatement writes', () => {
    expect(parseStatement(encodeStatement(STATEMENT))).toEqual(STATEMENT);
    expect(Buffer.from(encodeStatement(parseStatement(encodeStatement(STATEMENT))))).toEqual(Buffer.from(encodeStatement(STATEMENT)));
  });

  test('keeps what a resource descriptor may say, ignores the rest, and takes a missing predicate for an empty one', () => {
    const subject = { name: 'a', uri: 'pkg:npm/a@1', digest: { sha256, sha512 }, mediaType: 'a/b', downloadLocation: 'https://a', annotations: { x: 1 } };
    const { predicate: _, ...rest } = STATEMENT;
    expect(parseStatement(bytes({ ...rest, subject: [{ ...subject, later: true }], later: 1 }))).toEqual({ ...rest, subject: [subject], predicate: {} });
  });

  test('holds to the predicate type that is asked for', () => {
    expect(parseStatement(encodeStatement(STATEMENT), STATEMENT.predicateType).predicateType).toBe(STATEMENT.predicateType);
    for (const other of ['https://slsa.dev/provenance/v1.0', 'https://slsa.dev/provenance/v1/', 'https://slsa.dev/provenance/v0.2', 'https://SLSA.dev/provenance/v1']) {
      expect(() => parseStatement(bytes({ ...STATEMENT, predicateType: other }), STATEMENT.predicateType)).toThrow(code('TYPE_MISMATCH'));
    }
  });

  test.each<[string, string, unknown]>([
    ['Statement v0.1', 'TYPE_MISMATCH', { ...STATEMENT, _type: 'https://in-toto.io/Statement/v0.1' }],
    ['Statement v1.0', 'TYPE_MISMATCH', { ...STATEMENT, _type: 'https://in-toto.io/Statement/v1.0' }],
    ['no type', 'TYPE_MISMATCH', { ...STATEMENT, _type: undefined }],
    ['a type that is no text', 'TYPE_MISMATCH', { ...STATEMENT, _type: [STATEMENT_TYPE] }],
    ['no predicate type', 'STATEMENT_INVALID', { ...STATEMENT, predicateType: undefined }],
    ['an empty predicate type', 'STATEMENT_INVALID', { ...STATEMENT, predicateType: '' }],
    ['a predicate type that is no URI', 'STATEMENT_INVALID', { ...STATEMENT, predicateType: 'provenance' }],
    ['a predicate type with a newline', 'STATEMENT_INVALID', { ...STATEMENT, predicateType: 'https://slsa.dev/provenance/v1\n' }],
    ['a predicate that is a list', 'STATEMENT_INVALID', { ...STATEMENT, predicate: [] }],
    ['no subject', 'STATEMENT_INVALID', { ...STATEMENT, subject: undefined }],
    ['an empty list of subjects', 'STATEMENT_INVALID', { ...STATEMENT, subject: [] }],
    ['a subject without digest', 'STATEMENT_INVALID', { ...STATEMENT, subject: [{ name: 'a' }] }],
    ['a member that differs by case', 'STATEMENT_INVALID', { ...STATEMENT, Subject: [] }],
    ['a subject member that differs by case', 'STATEMENT_INVALID', { ...STATEMENT, subject: [{ ...STATEMENT.subject[0], Digest: { sha256 } }] }],
    ['a list', 'STATEMENT_INVALID', []],
    ['subject twice', 'JSON_DUPLICATE_KEY', JSON.stringify(STATEMENT).replace('{', '{"subject":[],')],
    ['predicateType twice', 'JSON_DUPLICATE_KEY', JSON.stringify(STATEMENT).replace('{', '{"predicateType":"https://a",')],
    ['a byte order mark', 'JSON_INVALID', `\ufeff${JSON.stringify(STATEMENT)}`],
    ['a number that is rounded', 'JSON_LIMIT', JSON.stringify(STATEMENT).replace('{', '{"n":12345678901234567890,')],
    ['endless nesting', 'JSON_LIMIT', JSON.stringify(STATEMENT).replace('{', `{"n":${'['.repeat(70)}${']'.repeat(70)},`)],
  ])('refuses %s', (_, expected, json) => {
    expect(() => parseStatement(bytes(json))).toThrow(code(expected));
  });

  test('refuses 50 MB and bytes that are not UTF-8', () => {
    expect(() => parseStatement(new Uint8Array(50 * 1024 * 1024))).toThrow(code('JSON_LIMIT'));
    expect(() => parseStatement(Uint8Array.of(0x7b, 0xff))).toThrow(code('UTF8_INVALID'));
  });
});

describe('subject digests', () => {
  test.each([[{ sha256 }], [{ sha512 }], [{ sha384: 'c'.repeat(96) }], [{ sha256, sha1: 'd'.repeat(40) }], [{ sha256, gitCommit: 'd'.repeat(40) }], [{ sha256, gitTree: sha512.slice(64) }]])('%j is accepted', (digest) => {
    expect(parseStatement(withDigest(digest)).subject[0]!.digest).toEqual(digest);
  });

  test.each<[string, string, unknown]>([
    ['sha1 only', 'DIGEST_INVALID', { sha1: 'a'.repeat(40) }],
    ['a git commit only', 'DIGEST_INVALID', { gitCommit: 'a'.repeat(40) }],
    ['none', 'DIGEST_INVALID', {}],
    ['upper case', 'DIGEST_INVALID', { sha256: 'A'.repeat(64) }],
    ['truncated', 'DIGEST_INVALID', { sha256: 'a'.repeat(62) }],
    ['an odd length', 'DIGEST_INVALID', { sha256: 'a'.repeat(63) }],
    ['a tail that is no hex', 'DIGEST_INVALID', { sha256: `${'a'.repeat(62)}zz` }],
    ['a newline at the end', 'DIGEST_INVALID', { sha256: `${'a'.repeat(63)}\n` }],
    ['a prefix inside the value', 'DIGEST_INVALID', { sha256: `sha256:${sha256}` }],
    ['base64', 'DIGEST_INVALID', { sha256: Buffer.from(sha256, 'hex').toString('base64') }],
    ['a value that is no text', 'DIGEST_INVALID', { sha256: 1 }],
    ['the length of another algorithm', 'DIGEST_INVALID', { sha512: sha256 }],
    ['an unknown algorithm', 'DIGEST_INVALID', { crc32: '00000000' }],
    ['an unknown algorithm beside a known one', 'DIGEST_INVALID', { sha256, crc32: '00000000' }],
    ['an inherited name', 'DIGEST_INVALID', { sha256, toString: sha256 }],
    ['gitoid:sha256', 'DIGEST_ALG_CONFUSION', { sha256, 'gitoid:sha256': 'c'.repeat(64) }],
    ['SHA256', 'DIGEST_ALG_CONFUSION', { SHA256: sha256 }],
    ['sha-256', 'DIGEST_ALG_CONFUSION', { 'sha-256': sha256 }],
    ['gitcommit', 'DIGEST_ALG_CONFUSION', { sha256, gitcommit: 'd'.repeat(40) }],
    ['one value under two names', 'DIGEST_ALG_CONFUSION', { sha256, sha3_256: sha256 }],
    ['a list', 'STATEMENT_INVALID', [sha256]],
  ])('%s is refused', (_, expected, digest) => {
    expect(() => parseStatement(withDigest(digest))).toThrow(code(expected));
  });
});

describe('matchSubjects', () => {
  const statement = (...subject: Statement['subject']) => ({ subject });
  const a = { name: 'a', digest: { sha256, sha512 } };
  const b = { name: 'b', digest: { sha256: 'c'.repeat(64) } };

  test('finds every subject that is the artifact', () => {
    expect(matchSubjects(statement(b, a, { ...a, name: 'again' }), { sha256 }).map(({ name }) => name)).toEqual(['a', 'again']);
    expect(matchSubjects(statement(a), { sha256, sha512 })).toHaveLength(1);
    expect(matchSubjects(statement(a), { sha256, sha384: 'd'.repeat(96) })).toHaveLength(1);
  });

  test.each<[string, string, Statement['subject'], Record<string, string>]>([
    ['another digest under the same name', 'SUBJECT_MISMATCH', [b], { sha256 }],
    ['no algorithm in common', 'SUBJECT_MISMATCH', [b], { sha512 }],
    ['one of two common algorithms disagrees', 'SUBJECT_MISMATCH', [a], { sha256, sha512: 'd'.repeat(128) }],
    ['digests of two subjects together', 'SUBJECT_MISMATCH', [{ digest: { sha256, sha512: 'd'.repeat(128) } }, { digest: { sha256: 'c'.repeat(64), sha512 } }], { sha256, sha512 }],
    ['the value under another algorithm', 'DIGEST_ALG_CONFUSION', [{ digest: { sha3_256: sha256 } }], { sha256 }],
  ])('refuses %s', (_, expected, subject, artifact) => {
    expect(() => matchSubjects(statement(...subject), artifact)).toThrow(code(expected));
  });
});
