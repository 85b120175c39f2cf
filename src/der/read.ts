import { StepsealError } from '../base/errors.ts';
import { TAG } from './tags.ts';

/** One value inside `source`; nothing is copied. */
export interface DerNode {
  /** identifier octet */
  readonly tag: number;
  readonly source: Uint8Array;
  /** offset of the identifier octet */
  readonly start: number;
  /** offset of the first content octet */
  readonly body: number;
  /** offset after the last content octet */
  readonly end: number;
}

export function derError(what: string, expected?: string, found?: string): StepsealError {
  return new StepsealError('DER_INVALID', what, { ...(expected !== undefined && { expected }), ...(found !== undefined && { found }) });
}

/** The value that starts at `at` and must end at or before `limit`. Definite, minimal lengths (X.690 section 10.1). Throws DER_INVALID. */
export function nodeAt(source: Uint8Array, at: number, limit: number): DerNode {
  if (at + 2 > limit) throw derError('DER ends inside a header');
  const tag = source[at]!;
  if ((tag & 0x1f) === 0x1f) throw derError('DER with a tag number above 30');
  let body = at + 2;
  let length = source[at + 1]!;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0) throw derError('indefinite length', 'a definite length (DER)');
    if (count > 4) throw derError('DER longer than 4 GiB');
    if (body + count > limit) throw derError('DER ends inside a length');
    length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + source[body + index]!;
    if (length < 0x80 || length < 256 ** (count - 1)) throw derError('length is not minimal', 'the shortest length form (DER)');
    body += count;
  }
  if (body + length > limit) throw derError('DER ends inside a value');
  return { tag, source, start: at, body, end: body + length };
}

/** Exactly one value, nothing after it. Throws DER_INVALID. */
export function parseDer(bytes: Uint8Array): DerNode {
  const node = nodeAt(bytes, 0, bytes.length);
  if (node.end !== bytes.length) throw derError('bytes after the DER value');
  return node;
}

/** Identifier, length and content. */
export function bytesOf(node: DerNode): Uint8Array {
  return node.source.subarray(node.start, node.end);
}

/** Content octets alone. */
export function contentOf(node: DerNode): Uint8Array {
  return node.source.subarray(node.body, node.end);
}

export function expectTag(node: DerNode, tag: number, what: string): DerNode {
  if (node.tag !== tag) throw derError(`${what} has another type`, `tag 0x${tag.toString(16)}`, `tag 0x${node.tag.toString(16)}`);
  return node;
}

/** The values inside a constructed value with `tag`. Throws DER_INVALID. */
export function children(node: DerNode, tag: number = TAG.sequence, what = 'SEQUENCE'): DerNode[] {
  expectTag(node, tag, what);
  const out: DerNode[] = [];
  for (let at = node.body; at < node.end;) {
    const child = nodeAt(node.source, at, node.end);
    out.push(child);
    at = child.end;
  }
  return out;
}

/** The one value inside an EXPLICIT tag. Throws DER_INVALID. */
export function onlyChild(node: DerNode, what: string): DerNode {
  const child = nodeAt(node.source, node.body, node.end);
  if (child.end !== node.end) throw derError(`${what} holds more than one value`);
  return child;
}

/** The one value inside the content of an OCTET STRING or BIT STRING, such as an extension. Throws DER_INVALID. */
export function parseWithin(bytes: Uint8Array, tag: number, what: string): DerNode {
  return expectTag(parseDer(bytes), tag, what);
}

/** A reader of the fields of a SEQUENCE, in order. */
export interface Fields {
  /** the next field, which must be there with this tag */
  next(tag: number, what: string): DerNode;
  /** the next field, whatever its tag */
  any(what: string): DerNode;
  /** the next field when it has this tag */
  optional(tag: number): DerNode | undefined;
  more(): boolean;
  /** nothing may be left */
  end(): void;
}

/** Fields of `node`, which must have `tag`. Every method throws DER_INVALID. */
export function fields(node: DerNode, what: string, tag: number = TAG.sequence): Fields {
  expectTag(node, tag, what);
  const { source, end } = node;
  let at = node.body;
  const take = (found: DerNode): DerNode => {
    at = found.end;
    return found;
  };
  return {
    next(expected, name) {
      if (at >= end) throw derError(`${name} is missing in ${what}`);
      return take(expectTag(nodeAt(source, at, end), expected, name));
    },
    any(name) {
      if (at >= end) throw derError(`${name} is missing in ${what}`);
      return take(nodeAt(source, at, end));
    },
    optional: (expected) => (at < end && source[at] === expected ? take(nodeAt(source, at, end)) : undefined),
    more: () => at < end,
    end() {
      if (at !== end) throw derError(`${what} has more fields than it may`);
    },
  };
}
