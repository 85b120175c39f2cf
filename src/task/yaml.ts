import { isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import { fromUtf8 } from '../base/bytes.ts';
import { StepsealError } from '../base/errors.ts';
import type { Json, JsonObject } from '../base/json.ts';

/** One file, 1 MiB: etcd takes no larger object either. */
const MAX_BYTES = 1024 * 1024;
const MAX_DOCUMENTS = 100;
const MAX_DEPTH = 64;
/** Of a file, with every alias counted as what it stands for. */
const MAX_NODES = 200_000;

/**
 * YAML 1.2, core schema, as JSON values, one for each document that is not empty. `name` is for messages.
 * Throws TASK_INVALID for what is not YAML, duplicate keys, tags and other versions of YAML, TASK_LIMIT, UTF8_INVALID.
 */
export function parseYaml(bytes: Uint8Array, name: string): Json[] {
  if (bytes.length > MAX_BYTES) throw limit(name, 'the file is too large', `at most ${MAX_BYTES} bytes`, `${bytes.length} bytes`);
  // uniqueKeys compares every pair of keys: minutes for a megabyte. The converter does it with a table.
  const documents = parseAllDocuments(fromUtf8(bytes), { version: '1.2', schema: 'core', strict: true, uniqueKeys: false, merge: false, logLevel: 'silent' });
  if (!Array.isArray(documents)) return [];
  if (documents.length > MAX_DOCUMENTS) throw limit(name, 'too many documents', `at most ${MAX_DOCUMENTS}`, String(documents.length));
  const converter = new Converter(name);
  const out: Json[] = [];
  for (const document of documents) {
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem) throw new StepsealError('TASK_INVALID', `${name} is not YAML: ${problem.message.split('\n')[0]!.replace(/:$/, '')}`);
    if (document.directives?.yaml.explicit && document.directives.yaml.version !== '1.2') {
      throw new StepsealError('TASK_INVALID', `${name} asks for another YAML version`, { expected: '1.2', found: document.directives.yaml.version });
    }
    if (document.contents !== null) out.push(converter.document(document.contents));
  }
  return out.filter((value) => value !== null);
}

class Converter {
  private readonly name: string;
  private nodes = 0;
  private anchors = new Map<string, { readonly value: Json; readonly nodes: number }>();

  constructor(name: string) {
    this.name = name;
  }

  document(node: unknown): Json {
    this.anchors = new Map();
    return this.value(node, 0);
  }

  private value(node: unknown, depth: number): Json {
    if (depth > MAX_DEPTH) throw limit(this.name, 'nested too deeply', `at most ${MAX_DEPTH} levels`);
    if (isAlias(node)) {
      // set only after the anchored node is complete, so that nothing can contain itself
      const anchor = this.anchors.get(node.source);
      if (!anchor) throw this.invalid(`*${node.source} refers to nothing before it`);
      this.count(anchor.nodes);
      return anchor.value;
    }
    const before = this.nodes;
    this.count(1);
    const value = isMap(node) ? this.map(node.items, depth) : isSeq(node) ? node.items.map((item) => this.value(item, depth + 1)) : this.scalar(node);
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) this.anchors.set(anchor, { value, nodes: this.nodes - before });
    return value;
  }

  private map(items: readonly { readonly key: unknown; readonly value: unknown }[], depth: number): JsonObject {
    const out: JsonObject = Object.create(null);
    for (const { key, value } of items) {
      const name = isScalar(key) ? key.value : undefined;
      if (typeof name !== 'string') throw this.invalid('a key that is not text');
      if (Object.hasOwn(out, name)) throw this.invalid(`the key ${JSON.stringify(name)} stands twice in one map`);
      out[name] = value === null ? null : this.value(value, depth + 1);
    }
    return out;
  }

  private scalar(node: unknown): Json {
    const value = isScalar(node) ? node.value : undefined;
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'string' && value.isWellFormed()) return value;
    if (typeof value === 'number' && Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value))) return value;
    throw this.invalid('a value that JSON cannot hold exactly');
  }

  private count(nodes: number): void {
    this.nodes += nodes;
    if (this.nodes > MAX_NODES) throw limit(this.name, 'too many values', `at most ${MAX_NODES}, aliases counted as what they stand for`);
  }

  private invalid(why: string): StepsealError {
    return new StepsealError('TASK_INVALID', `${this.name}: ${why}`);
  }
}

function limit(name: string, what: string, expected: string, found?: string): StepsealError {
  return new StepsealError('TASK_LIMIT', `${name}: ${what}`, found === undefined ? { expected } : { expected, found });
}
