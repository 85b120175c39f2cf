import { chmodSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, test } from 'vitest';
import { parseBundle } from '../../src/envelope/bundle.ts';
import { type StartBed, startBed } from '../fakes/startBed.ts';

const MARK = `${200_000 + process.pid}.25`;
const TASK = `apiVersion: tekton.dev/v1
kind: Task
metadata: {name: ask}
spec:
  params: [{name: path}]
  results: [{name: who}]
  steps:
    - name: s
      image: x
      script: |
        #!/usr/bin/env node
        const { request } = require('node:http');
        const { writeFileSync } = require('node:fs');
        writeFileSync('$(results.who.path)', String(process.getuid()));
        const call = request({ socketPath: process.env.STEPSEAL_SEAL_SOCKET, path: '/v1/seal', method: 'POST', headers: { 'content-type': 'application/json' } }, async (answer) => {
          let text = '';
          for await (const chunk of answer) text += chunk;
          const { spiffeId, error } = JSON.parse(text);
          console.log(error ? error.code : 'sealed as ' + spiffeId);
        });
        call.end(JSON.stringify({ items: [{ name: 'x', path: '$(params.path)' }] }));
`;
const SLOW = `apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: slow}\nspec: {steps: [{name: s, image: x, script: "sleep ${MARK} & echo under way; sleep ${MARK}"}]}\n`;
const SEALED = '│ sealed as spiffe://example.org/ns/local/task/ask/step/s';
const provenance = (bed: StartBed): string => {
  const { content } = parseBundle(readFileSync(bed.path('out/provenance.sigstore.json')));
  return content.kind === 'dsse' ? Buffer.from(content.payload).toString() : '';
};
const works = (through: readonly string[]): boolean => spawnSync(through[0]!, [...through.slice(1), process.execPath, '--version']).status === 0;

const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];

describe.runIf(process.getuid!() === 0 && works([...NOBODY, 'unshare', '-Urm']))('stepseal start by an ordinary user', () => {
  const bed = startBed(NOBODY);
  chmodSync(bed.folder, 0o777);
  afterAll(bed.remove);

  test('runs steps as that user, who may have sealed what that user may read', async () => {
    const file = bed.file('ask.yaml', TASK);
    const { code, out, err } = await bed.start([file, '--param', 'path=/etc/hostname']);
    expect(`${code} ${err}`).toBe('0 ');
    expect(out).toContain('each step in its own user, pid and mount namespace');
    expect(out).toContain('uid 65534, gid 65534');
    expect(out).toContain(SEALED);
    const theirs = await bed.start([file, '--param', 'path=/etc/shadow']);
    expect(theirs.out).toContain('│ FILE_UNREADABLE');
    expect(bed.processes()).toEqual([]);
  });
});

/** A user namespace in which no other can be made, as where an administrator forbids them. */
const WITHOUT = ['unshare', '-Ur', 'sh', '-c', 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', 'sh'];

describe.runIf(works(WITHOUT))('stepseal start where the kernel allows no namespaces', () => {
  const bed = startBed(WITHOUT);
  afterAll(bed.remove);

  test('says so: in the output, in the evidence, and as another builder', async () => {
    const { code, out, err } = await bed.start([bed.file('ask.yaml', TASK), '--param', 'path=/etc/hostname']);
    expect(`${code} ${err}`).toBe('0 ');
    expect(out).toContain('not isolated (builder local-unisolated): ');
    expect(out).toMatch(/attested {2}supervisor \d+, not isolated/);
    expect(out).toContain(SEALED);
    expect(provenance(bed)).toContain('"id":"https://example.org/stepseal/local-unisolated"');
    expect(bed.processes()).toEqual([]);
  });

  test('refuses paths that only a namespace can give', async () => {
    const yaml = TASK.replace('$(params.path)', '/workspace/x');
    expect(await bed.start([bed.file('fixed.yaml', yaml), '--param', 'path=x'])).toMatchObject({ code: 1, err: expect.stringMatching(/TASK_PATH_UNISOLATED: fixed\.yaml#1\.spec\.steps\[0\] names \/workspace/) });
  });

  test('leaves nothing running when it is stopped by SIGTERM in the middle', async () => {
    const { code } = await bed.start([bed.file('slow.yaml', SLOW)], (text, child) => {
      if (text.includes('under way')) child.kill('SIGTERM');
    });
    expect(code).toBe(3);
    await expect.poll(() => bed.processes(MARK), { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => bed.processes(bed.state), { timeout: 10_000 }).toEqual([]);
  });
});
