import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StepsealError } from '../base/errors.ts';
import { parseJson, type JsonObject } from '../base/json.ts';
import { isObject, type Reader } from '../base/read.ts';
import { defineCommand, type Io } from './command.ts';
import { unreadable, writableFolder } from './fileErrors.ts';
import { callAgent, sealSocketPath, SOCKET_OPTION } from './sealSocket.ts';
import { styles } from './style.ts';

type Item = JsonObject & { readonly name: string };

interface Sealed {
  readonly name: string;
  readonly sha256: string;
  readonly bundle: JsonObject;
  readonly logIndex: number;
  /** where the bundle was written */
  readonly path: string;
}

export const command = defineCommand({
  name: 'seal',
  summary: 'seal files or digests as the calling step',
  usage: 'ARTIFACT...',
  positionals: { min: 1, max: 10_000 },
  description: [
    'ARTIFACT is a file, which the agent opens and hashes itself, or sha256:HEX. The agent attests the calling process,',
    'signs as its identity and answers with one Sigstore bundle v0.3 per artifact, written as NAME.sigstore.json.',
    'With --predicate the artifacts become the subjects of one in-toto statement, and its bundle has the name of that file.',
    'With --admin the server seals, without an agent, as the person who may open its admin socket.',
  ].join('\n'),
  options: {
    out: { value: 'DIR', default: '.', text: 'where the bundles are written' },
    predicate: { value: 'FILE', text: 'seal one statement about all artifacts with this JSON object as its predicate; needs --type' },
    type: { value: 'URI', text: 'the predicate type of --predicate; reserved ones are refused' },
    socket: SOCKET_OPTION,
    admin: { type: 'boolean', text: "seal at the server's admin socket ($STEPSEAL_ADMIN_SOCKET, else .stepseal/server/admin.sock), as the person there" },
  },
  examples: [
    { line: 'stepseal seal app.tgz --out bundles', text: 'one artifact, its bundle in bundles/app.tgz.sigstore.json' },
    { line: 'stepseal seal sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', text: 'something that was pushed, by digest' },
    { line: 'stepseal seal app.tgz --predicate test.json --type https://in-toto.io/attestation/test-result/v0.1', text: 'a test result about it' },
  ],
  run: async ({ values, positionals, json, io }) => {
    if ((values.predicate === undefined) !== (values.type === undefined)) {
      throw new StepsealError('USAGE', '--predicate and --type belong together');
    }
    const items: Item[] =
      values.predicate === undefined || values.type === undefined
        ? await Promise.all(positionals.map((artifact) => itemOf(artifact, values.admin, io)))
        : [await statementItem(positionals, values.predicate, values.type, io)];
    const names = items.map(({ name }) => `${name.replace(':', '-')}.sigstore.json`);
    assertDistinct(names);
    const folder = resolve(io.cwd, values.out);
    writableFolder(folder, 0o777);
    const answer = values.admin
      ? await (await import('./adminSeal.ts')).sealAtServer(items, io)
      : await callAgent(sealSocketPath(values.socket, io), '/v1/seal', { items });
    const spiffeId = answer.at('spiffeId').string();
    const elapsedUs = Number(answer.at('elapsedUs').string());
    const sealed = answer.at('items').array().map((item, i) => readSealed(item, join(folder, names[i] ?? item.fail('as many as asked for'))));
    for (const { path, bundle } of sealed) writeFileSync(path, JSON.stringify(bundle));
    if (json) io.out(`${JSON.stringify({ spiffeId, elapsedUs, items: sealed.map(({ bundle: _, ...rest }) => rest) })}\n`);
    else print(spiffeId, elapsedUs, sealed, io);
    return 0;
  },
});

/** A file is named to the agent, which hashes it itself; the admin socket takes digests only. */
async function itemOf(artifact: string, admin: boolean, io: Io): Promise<Item> {
  const digest = digestOf(artifact);
  if (digest !== undefined) return { name: artifact, sha256: digest };
  const path = resolve(io.cwd, artifact);
  return admin ? { name: basename(artifact), sha256: await readable(path, () => hashFile(path)) } : { name: basename(artifact), path };
}

function digestOf(artifact: string): string | undefined {
  if (!artifact.startsWith('sha256:')) return undefined;
  const hex = artifact.slice('sha256:'.length);
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  throw new StepsealError('DIGEST_INVALID', 'not a SHA-256 digest', { expected: 'sha256: and 64 lower-case hexadecimal characters', found: artifact });
}

/** A statement vouches for digests, not for files, so the caller hashes. */
async function statementItem(artifacts: readonly string[], predicatePath: string, predicateType: string, io: Io): Promise<Item> {
  const predicate = parseJson(await readable(predicatePath, () => readFileSync(resolve(io.cwd, predicatePath))));
  if (!isObject(predicate)) throw new StepsealError('JSON_INVALID', `${predicatePath} is not a predicate`, { expected: 'a JSON object' });
  const subjects: JsonObject[] = [];
  for (const artifact of artifacts) {
    const sha256 = digestOf(artifact) ?? (await readable(artifact, () => hashFile(resolve(io.cwd, artifact))));
    subjects.push({ name: basename(artifact), sha256 });
  }
  return { name: basename(predicatePath), statement: { predicateType, predicate, subjects } };
}

async function readable<T>(path: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function assertDistinct(names: readonly string[]): void {
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined) {
    throw new StepsealError('USAGE', 'two artifacts would write the same bundle file', { expected: 'different file names, or two calls with different --out', found: twice });
  }
}

function readSealed(item: Reader, path: string): Sealed {
  return {
    name: item.at('name').string(),
    sha256: item.at('sha256').string(),
    bundle: item.at('bundle').object(),
    logIndex: Number(item.at('logIndex').string()),
    path,
  };
}

function print(spiffeId: string, elapsedUs: number, sealed: readonly Sealed[], io: Io): void {
  const { bold, dim, green } = styles(io.colour);
  io.out(`${green('✓')} sealed as ${bold(spiffeId)} in ${(elapsedUs / 1000).toFixed(1)} ms\n`);
  for (const { name, sha256, logIndex, path } of sealed) io.out(`  ${name}  sha256:${sha256}  log index ${logIndex}\n  ${dim(`→ ${path}`)}\n`);
}
