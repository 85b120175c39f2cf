import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { userName } from '../../src/attestor/users.ts';
import { startBed } from '../fakes/startBed.ts';

const bed = startBed();
afterAll(bed.remove);

const task = (name: string, spec: string): string => `apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: ${name}}\nspec:\n  ${spec.replaceAll('\n', '\n  ')}\n`;
const OK = bed.file('ok.yaml', task('ok', 'steps: [{name: s, image: x, script: "true"}]'));

describe('what cannot be run', () => {
  test.concurrent.each([
    ['another document', 'kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n', 1, 'TASK_INVALID', '#1.'],
    ['no YAML', 'a: [', 1, 'TASK_INVALID', ' is not YAML'],
    ['nothing', '', 1, 'TASK_REFERENCE_UNRESOLVED', 'nothing to run'],
    ['an unknown variable', task('t', 'steps: [{name: s, image: x, script: "echo $(params.none)"}]'), 1, 'TASK_VARIABLE_UNKNOWN', '#1.spec.steps[0].script'],
    ['a field that is not honoured', task('t', 'steps: [{name: s, image: x, script: "true", securityContext: {}}]'), 1, 'TASK_FIELD_UNSUPPORTED', '#1.spec.steps[0].securityContext'],
    ['a parameter that is missing', task('t', 'params: [{name: p}]\nsteps: [{name: s, image: x, script: "echo $(params.p)"}]'), 1, 'TASK_PARAM_MISSING', '#1'],
    ['a pipeline in a circle', `apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  tasks:\n${['ab', 'ba'].map(([a, b]) =>
      `    - {name: ${a}, runAfter: [${b}], taskSpec: {steps: [{name: s, image: x, script: "true"}]}}\n`).join('')}`, 1, 'PIPELINE_CYCLE', '#1.spec.tasks: tasks wait for each other; found a → b → a'],
  ])('%s is refused with code, file and place, and nothing is started or made', async (name, yaml, exit, code, place) => {
    const file = `${name.replaceAll(' ', '-')}.yaml`;
    const ran = await bed.start([bed.file(file, yaml)]);
    expect(ran).toMatchObject({ code: exit, out: '' });
    expect(ran.err).toContain(`stepseal: ${code}: `);
    expect(ran.err).toContain(code === 'TASK_REFERENCE_UNRESOLVED' ? place : `${file}${place}`);
    expect(existsSync(bed.state)).toBe(false);
  });

  test('is a file that is not there, or a command line that makes no sense', async () => {
    expect(await bed.start(['none.yaml'])).toMatchObject({ code: 1, err: expect.stringMatching(/FILE_UNREADABLE.*none\.yaml/) });
    expect(await bed.start([OK, '--workspace', 'source=nowhere'])).toMatchObject({ code: 2, err: expect.stringMatching(/USAGE.*source.*nowhere/) });
    expect(await bed.start([OK, '--param', 'novalue'])).toMatchObject({ code: 2, err: expect.stringContaining('USAGE') });
    expect(await bed.start([OK, '--http-prot', '1', '--json'])).toMatchObject({ code: 2, out: expect.stringMatching(/^\{"error":\{"code":"USAGE",.*--http-port/) });
  });

  test('is a run whose output would replace what is not ours', async () => {
    mkdirSync(bed.path('mine'));
    bed.file('mine/precious', '');
    expect(await bed.start([OK, '--out', 'mine'])).toMatchObject({ code: 1, err: expect.stringContaining('OUT_FOLDER_TAKEN') });
    expect(readdirSync(bed.path('mine'))).toEqual(['precious']);
  });

  test('is a trust domain that certificates cannot be confined to', async () => {
    expect(await bed.start([OK, '--trust-domain', 'under_score'])).toMatchObject({ code: 1, err: expect.stringContaining('TRUST_DOMAIN_NOT_CONSTRAINABLE') });
  });

  test('is a state folder whose sockets would have too long a path: nothing is made there', async () => {
    const deep = bed.path('d'.repeat(100));
    expect(await bed.start([OK, '--state', deep])).toMatchObject({ code: 1, err: expect.stringMatching(/SOCKET_PATH_TOO_LONG.*shorter state folder with --state/) });
    expect(existsSync(join(deep, 'server'))).toBe(false);
  });

  test('is a server whose port is taken, and the option that chooses another is named', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const port = `${(taken.address() as AddressInfo).port}`;
    expect(await bed.start([OK, '--http-port', port])).toMatchObject({ code: 1, err: expect.stringMatching(`PORT_TAKEN: port ${port} .*--http-port`) });
    expect(await bed.start([OK, '--grpc-port', port])).toMatchObject({ code: 1, err: expect.stringMatching(`PORT_TAKEN: port ${port} .*--grpc-port`) });
    taken.close();
    expect(bed.processes()).toEqual([]);
  });
});

const HOSTILE = `#!/usr/bin/env node
const { execFileSync, spawn } = require('node:child_process');
const { createHash } = require('node:crypto');
const { mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } = require('node:fs');
const { request } = require('node:http');
const seal = (item) => new Promise((resolve, reject) => {
  const call = request({ socketPath: process.env.STEPSEAL_SEAL_SOCKET, path: '/v1/seal', method: 'POST', headers: { 'content-type': 'application/json' } }, async (answer) => {
    let text = '';
    for await (const chunk of answer) text += chunk;
    const { items, error } = JSON.parse(text);
    resolve(error ? error.code : items[0].sha256);
  });
  call.on('error', reject);
  call.end(JSON.stringify({ items: [{ name: 'x', ...item }] }));
});
(async () => {
  const here = process.cwd();
  writeFileSync('file', 'content');
  mkdirSync('folder');
  execFileSync('mkfifo', ['fifo']);
  symlinkSync('file', 'link');
  symlinkSync('loop', 'loop');
  writeFileSync('sparse', '');
  truncateSync('sparse', 11 * 1024 ** 3);
  writeFileSync('sealed', 'first');
  const digest = (text) => createHash('sha256').update(text).digest('hex');
  const say = async (name, item) => console.log(name, await seal(item));
  await say('theirs', { path: '$(workspaces.source.path)/theirs' });
  for (const name of ['file', 'folder', 'fifo', 'loop', 'sparse', 'none']) await say(name, { path: here + '/' + name });
  console.log('link', (await seal({ path: here + '/link' })) === digest('content') ? 'is what it leads to' : 'is something else');
  await say('dotdot', { path: here + '/folder/../file' });
  await say('relative', { path: 'file' });
  await say('device', { path: '/dev/zero' });
  await say('reserved', { statement: { predicateType: 'https://slsa.dev/provenance/v1', predicate: {}, subjects: [{ name: 'a', sha256: digest('a') }] } });
  // 400 MB take longer to hash than a write every 5 ms
  writeFileSync('written', '');
  truncateSync('written', 400_000_000);
  const writing = setInterval(() => utimesSync('written', new Date(), new Date()), 5);
  await say('written', { path: here + '/written' });
  clearInterval(writing);
  await say('sealed', { path: here + '/sealed' });
  writeFileSync('sealed', 'second');
  spawn('sleep', ['$(params.seconds)'], { detached: true, stdio: 'ignore' }).unref();
})();
`;

describe('a step that does what it should not', () => {
  test('is refused file by file, its background process is killed, what it changed after the seal is found', async () => {
    // a number that no other process of this machine sleeps for
    const seconds = `${100_000 + process.pid}.5`;
    mkdirSync(bed.path('source'));
    const theirs = bed.file('source/theirs', 'secret');
    // root's step has no right to read it, though the agent has
    if (process.getuid!() === 0) chownSync(theirs, 4711, 4711);
    chmodSync(theirs, process.getuid!() === 0 ? 0o600 : 0);
    const script = HOSTILE.split('\n').map((line) => `      ${line}`).join('\n');
    const { code, out, err } = await bed.start([bed.file('hostile.yaml', task('hostile', `params: [{name: seconds}]\nworkspaces: [{name: source}]\nsteps:\n  - name: s\n    image: x\n    script: |\n${script}`)), '--param', `seconds="${seconds}"`, '--workspace', 'source=source']);
    expect(`${code} ${err}`).toBe('1 ');
    const said = new Map([...out.matchAll(/│ (\w+) (.+)/g)].map(([, name, what]) => [name, what]));
    expect(Object.fromEntries(said)).toEqual({
      file: expect.stringMatching(/^[0-9a-f]{64}$/), folder: 'FILE_NOT_REGULAR', fifo: 'FILE_NOT_REGULAR', loop: 'FILE_NOT_REGULAR', sparse: 'FILE_TOO_LARGE', none: 'FILE_NOT_FOUND',
      link: 'is what it leads to', dotdot: 'FILE_OUTSIDE_ROOT', relative: 'FILE_PATH_INVALID', device: 'FILE_NOT_REGULAR', reserved: 'PREDICATE_RESERVED', theirs: 'FILE_UNREADABLE',
      written: 'FILE_CHANGED', sealed: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(out).toContain('problem   ARTIFACT_CHANGED: ');
    expect(out).toContain('1 process left behind, killed');
    expect(out).toContain('✗ no provenance: ARTIFACT_CHANGED');
    expect(bed.processes(`sleep ${seconds}`)).toEqual([]);
    expect(bed.processes()).toEqual([]);
  });

  test('overwrites another\'s result, or leaves one above the limit: the run goes on, and has no provenance', async () => {
    const steps = ['printf 1 > $(results.version.path)', 'printf 2 > $(results.version.path); truncate -s 300000000 $(results.big.path)', 'echo now it is $(cat $(results.version.path))'];
    const yaml = task('over', `results: [{name: version}, {name: big}]\nsteps:\n${steps.map((script, i) => `  - {name: s${i}, image: x, script: "${script}"}`).join('\n')}`);
    const { code, out, err } = await bed.start([bed.file('over.yaml', yaml)]);
    expect(`${code} ${err}`).toBe('1 ');
    expect(out).toContain('problem   RESULT_TOO_LARGE: result big is larger than a result may be');
    expect(out.split('RESULT_NOT_SIGNED_BY_PRODUCER: step s1 overwrote result version, which step s0 had left')).toHaveLength(2);
    expect(out).toContain('│ now it is 2');
    expect(out).toContain('✗ no provenance: RESULT_');
    expect(readdirSync(bed.path('out'))).not.toContain('provenance.sigstore.json');
  });
});

const SLOW = bed.file('slow.yaml', task('slow', 'steps: [{name: s, image: x, script: "sleep 98.7654321 & echo under way; sleep 98.7654321"}]'));

describe('a run that is stopped in the middle', () => {
  test.each(['SIGINT', 'SIGKILL'] as const)('by %s leaves nothing running', async (signal) => {
    const before = readFileSync(bed.path('out/summary.json'), 'utf8');
    const { code, err } = await bed.start([SLOW], (text, child) => {
      if (text.includes('under way')) child.kill(signal);
    });
    expect([code, err.slice(0, 40)]).toEqual(signal === 'SIGKILL' ? [null, ''] : [3, 'stepseal: CALL_CANCELLED: stopped by a s']);
    await expect.poll(() => bed.processes('sleep 98.7654321'), { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => bed.processes(bed.state), { timeout: 10_000 }).toEqual([]);
    // the output of the run before is what it was
    expect(readFileSync(bed.path('out/summary.json'), 'utf8')).toBe(before);
  });

  test('is swept up by the next one', async () => {
    expect(readdirSync(bed.path('s/runs'))).toHaveLength(1);
    expect(await bed.start([OK])).toMatchObject({ code: 0 });
    expect(readdirSync(bed.path('s/runs'))).toEqual([]);
    expect(readdirSync(bed.state).filter((name) => name.startsWith('out-'))).toEqual([]);
  });
});

describe('a start on a state folder that is there', () => {
  test('does not take another trust domain', async () => {
    expect(await bed.start([OK, '--trust-domain', 'example.com'])).toMatchObject({ code: 1, err: expect.stringMatching(/CONFIG_CHANGED.*expected example\.org; found example\.com/) });
  });

  test('with --keep leaves server and agent and gives the person an identity, until they are told to stop', async () => {
    const { code, out } = await bed.start([OK, '--keep']);
    expect(code).toBe(0);
    const [, ...pids] = /`kill (\d+) (\d+)` stops them/.exec(out)!;
    expect(new Set(bed.processes(bed.state).map((line) => line.split(' ')[0]))).toEqual(new Set(pids));
    const user = userName(process.getuid!());
    const token = await bed.run(['token', '--audience', 'sigstore', '--socket', bed.path('s/agent/seal.sock')]);
    // a uid without a name has no identity
    if (user !== '') {
      expect(`${token.code} ${token.err}`).toBe('0 ');
      const claims = JSON.parse(Buffer.from(token.out.split('.')[1]!, 'base64url').toString()) as object;
      expect(claims).toMatchObject({ iss: 'https://example.org', sub: `spiffe://example.org/local/user/${user}`, aud: ['sigstore'] });
    }
    expect(await bed.start([OK])).toMatchObject({ code: 1, err: expect.stringMatching(`FOLDER_LOCKED.*process ${pids[0]}`) });
    for (const pid of pids) process.kill(Number(pid), 'SIGTERM');
    await expect.poll(() => bed.processes(bed.state), { timeout: 10_000 }).toEqual([]);
  });
});
