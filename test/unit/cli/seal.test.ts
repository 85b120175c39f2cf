import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from '../../../src/cli/run.ts';
import { fakeIo } from '../../fakes/io.ts';
import { fakeSealSocket } from '../../fakes/sealSocket.ts';

const ID = 'spiffe://example.org/ns/local/task/t/step/s';
const DIGEST = createHash('sha256').update('hello').digest('hex');
const closers: (() => Promise<void>)[] = [];
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepseal-cli-'));
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  rmSync(folder, { recursive: true });
});

type Answer = Parameters<typeof fakeSealSocket>[1];

async function agent(answer: Answer) {
  const socket = await fakeSealSocket(join(folder, 'seal.sock'), answer);
  closers.push(socket.close);
  return socket.calls;
}

async function call(...args: string[]) {
  const io = fakeIo({ cwd: folder, env: { STEPSEAL_SEAL_SOCKET: join(folder, 'seal.sock') } });
  return { code: await runCli(args, io), out: io.stdout(), err: io.stderr() };
}

const sealsAll: Answer = ({ body }) => ({
  body: {
    spiffeId: ID,
    elapsedUs: '12345',
    items: (body as { items: { name: string }[] }).items.map(({ name }, i) => ({ name, sha256: DIGEST, bundle: { of: name }, logIndex: `${i}` })),
  },
});

describe('stepseal seal', () => {
  test('sends absolute paths, writes one bundle each, says identity and time', async () => {
    const calls = await agent(sealsAll);
    const { code, out } = await call('seal', 'app.tgz', 'sub/lib.tgz', '--out', 'bundles');
    expect(code).toBe(0);
    expect(calls).toEqual([
      {
        path: '/v1/seal',
        contentType: 'application/json',
        body: { items: [{ name: 'app.tgz', path: join(folder, 'app.tgz') }, { name: 'lib.tgz', path: join(folder, 'sub/lib.tgz') }] },
      },
    ]);
    expect(readdirSync(join(folder, 'bundles')).sort()).toEqual(['app.tgz.sigstore.json', 'lib.tgz.sigstore.json']);
    expect(readFileSync(join(folder, 'bundles/app.tgz.sigstore.json'), 'utf8')).toBe('{"of":"app.tgz"}');
    expect(out).toContain(`sealed as ${ID} in 12.3 ms`);
  });

  test('a digest is sent as such and its bundle is named after it', async () => {
    const calls = await agent(sealsAll);
    expect(await call('seal', `sha256:${DIGEST}`, '--json')).toMatchObject({ code: 0 });
    expect(calls[0]!.body).toEqual({ items: [{ name: `sha256:${DIGEST}`, sha256: DIGEST }] });
    expect(readdirSync(folder)).toContain(`sha256-${DIGEST}.sigstore.json`);
  });

  test('--json prints what was sealed and where the bundle is, without the bundle', async () => {
    await agent(sealsAll);
    const { out } = await call('seal', 'app.tgz', '--json');
    expect(JSON.parse(out)).toEqual({
      spiffeId: ID,
      elapsedUs: 12345,
      items: [{ name: 'app.tgz', sha256: DIGEST, logIndex: 0, path: join(folder, 'app.tgz.sigstore.json') }],
    });
  });

  test('--predicate makes one statement about the artifacts, hashed by the caller', async () => {
    const calls = await agent(sealsAll);
    writeFileSync(join(folder, 'app.tgz'), 'hello');
    writeFileSync(join(folder, 'test.json'), '{"result":"PASSED"}');
    const { code } = await call('seal', 'app.tgz', '--predicate', 'test.json', '--type', 'https://example.org/t/v1');
    expect(code).toBe(0);
    expect(calls[0]!.body).toEqual({
      items: [
        {
          name: 'test.json',
          statement: { predicateType: 'https://example.org/t/v1', predicate: { result: 'PASSED' }, subjects: [{ name: 'app.tgz', sha256: DIGEST }] },
        },
      ],
    });
  });

  test("the agent's refusal keeps its code and decides the exit code", async () => {
    await agent(() => ({ status: 400, body: { error: { code: 'DIGEST_INVALID', message: 'no', expected: 'a', found: 'b' } } }));
    expect(await call('seal', 'app.tgz')).toEqual({ code: 1, out: '', err: 'stepseal: DIGEST_INVALID: no; expected a; found b\n' });
  });

  test('a code that this version does not know is shown as it is', async () => {
    await agent(() => ({ status: 400, body: { error: { code: 'FROM_THE_FUTURE', message: 'no' } } }));
    expect(await call('seal', 'app.tgz')).toMatchObject({ code: 1, err: expect.stringContaining('FROM_THE_FUTURE: no') });
  });

  test('an answer with more bundles than were asked for is refused before anything is written', async () => {
    await agent((asked) => {
      const { body } = sealsAll(asked) as { body: { items: unknown[] } };
      return { body: { ...body, items: [...body.items, ...body.items] } };
    });
    expect(await call('seal', 'app.tgz')).toMatchObject({ code: 1, err: expect.stringContaining('JSON_INVALID') });
    expect(readdirSync(folder)).toEqual(['seal.sock']);
  });

  test.each([
    ['no agent', ['seal', 'app.tgz'], 3, 'AGENT_UNAVAILABLE'],
    ['a digest in upper case', ['seal', `sha256:${DIGEST.toUpperCase()}`], 1, 'DIGEST_INVALID'],
    ['two artifacts of one name', ['seal', 'a/x', 'b/x'], 2, 'USAGE'],
    ['an output folder that cannot be made', ['seal', 'app.tgz', '--out', '/proc/none/out'], 1, 'FILE_UNWRITABLE: /proc/none/out cannot be written to: there is no such file'],
    ['--predicate without --type', ['seal', 'a', '--predicate', 'p'], 2, 'USAGE'],
    ['a predicate that is not there', ['seal', 'a', '--predicate', 'p', '--type', 't'], 1, 'FILE_UNREADABLE'],
  ])('%s is refused', async (_, args, code, error) => {
    expect(await call(...args)).toMatchObject({ code, err: expect.stringContaining(error) });
  });
});

describe('stepseal token', () => {
  const svid = (n: number) => ({ spiffeId: `${ID}${n}`, token: `header.payload.${n}`, hint: '' });

  test('prints the token and nothing else on stdout', async () => {
    const calls = await agent(() => ({ body: { svids: [svid(1)] } }));
    expect(await call('token', '--audience', 'sigstore')).toEqual({ code: 0, out: 'header.payload.1\n', err: '' });
    expect(calls[0]).toMatchObject({ path: '/v1/token', body: { audience: ['sigstore'] } });
  });

  test('a caller with several identities is told so on stderr', async () => {
    await agent(() => ({ body: { svids: [svid(1), svid(2)] } }));
    expect(await call('token', '--audience', 'a', '--spiffe-id', `${ID}1`)).toMatchObject({ out: 'header.payload.1\n', err: expect.stringContaining('1 more') });
  });

  test('no audience is a usage error', async () => {
    expect(await call('token')).toMatchObject({ code: 2, err: expect.stringContaining('--audience must be given') });
  });
});
