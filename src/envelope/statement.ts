import { utf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import { canonicalJson, type JsonObject, parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { type DigestSet, readDigestSet } from './digest.ts';

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

/** A subject of a statement: an in-toto ResourceDescriptor whose digest is there and strong. */
export interface Subject {
  readonly name?: string;
  readonly uri?: string;
  readonly digest: DigestSet;
  readonly mediaType?: string;
  readonly downloadLocation?: string;
  readonly annotations?: JsonObject;
}

/** in-toto Statement v1. */
export interface Statement<P extends object = JsonObject> {
  readonly _type: typeof STATEMENT_TYPE;
  readonly subject: readonly Subject[];
  readonly predicateType: string;
  readonly predicate: P;
}

const MAX_SUBJECTS = 100_000;
const STATEMENT_MEMBERS = ['_type', 'subject', 'predicateType', 'predicate'];
const SUBJECT_MEMBERS = ['name', 'uri', 'digest', 'content', 'downloadLocation', 'mediaType', 'annotations'];

/**
 * The payload of an in-toto envelope: strict JSON, `_type` of Statement v1, at least one subject, every subject with a
 * strong digest. With `predicateType`, exactly that one. Unknown members are ignored, as the specification asks, except
 * those that differ from a known one by case only: readers that fold case would take them for it.
 * Throws TYPE_MISMATCH, STATEMENT_INVALID, DIGEST_INVALID, DIGEST_ALG_CONFUSION and the codes of parseJson.
 */
export function parseStatement(payload: Uint8Array, predicateType?: string): Statement {
  const reader = new Reader(parseJson(payload, { size: 16 * 1024 * 1024 }), 'statement', 'STATEMENT_INVALID');
  const members = reader.object();
  exact('_type', members['_type'], STATEMENT_TYPE);
  refuseFolded(reader, STATEMENT_MEMBERS);
  const type = reader.at('predicateType').string('a type URI', /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/);
  if (predicateType !== undefined) exact('predicateType', type, predicateType);
  const subjects = reader.at('subject').array();
  if (subjects.length === 0 || subjects.length > MAX_SUBJECTS) reader.at('subject').fail(`1 to ${MAX_SUBJECTS} subjects`);
  return {
    _type: STATEMENT_TYPE,
    subject: subjects.map(readSubject),
    predicateType: type,
    // "may be omitted" (in-toto attestation spec v1, statement.md), which is the same as empty
    predicate: reader.at('predicate').optional((predicate) => predicate.object()) ?? {},
  };
}

/** RFC 8785 JSON, UTF-8: the payload to sign. */
export function encodeStatement<P extends object>(statement: Statement<P>): Uint8Array {
  return utf8(canonicalJson(statement));
}

function readSubject(reader: Reader): Subject {
  refuseFolded(reader, SUBJECT_MEMBERS);
  const text = (name: string) => reader.at(name).optional((member) => member.string());
  const subject = {
    name: text('name'),
    uri: text('uri'),
    digest: readDigestSet(reader.at('digest'), true),
    mediaType: text('mediaType'),
    downloadLocation: text('downloadLocation'),
    annotations: reader.at('annotations').optional((member) => member.object()),
  };
  return Object.fromEntries(Object.entries(subject).filter(([, value]) => value !== undefined)) as unknown as Subject;
}

function exact(name: string, found: unknown, expected: string): void {
  if (found !== expected) throw new StepsealError('TYPE_MISMATCH', `statement.${name} is another type`, { expected, found: JSON.stringify(found) ?? 'nothing' });
}

function refuseFolded(reader: Reader, known: readonly string[]): void {
  for (const name of Object.keys(reader.object())) {
    if (known.includes(name)) continue;
    const lower = name.toLowerCase();
    if (known.some((other) => other.toLowerCase() === lower)) reader.at(name).fail(`no member that differs from a known one by case only: ${known.join(', ')}`);
  }
}
