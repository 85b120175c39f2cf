import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBundles } from '../../../src/cli/evidenceFiles.ts';
import { runCli } from '../../../src/cli/run.ts';
import { openOutFolder } from '../../../src/cli/startOut.ts';
import { provenanceLines, runPrinter } from '../../../src/cli/startPrint.ts';
import { fakeIo } from '../../fakes/io.ts';

const STEP = { pipelineTask: '', step: 's' };
const HOSTILE = 'a\u001b[2J\n✓ verified\u202e';

function printed(...events: Parameters<ReturnType<typeof runPrinter>>[0][]): string {
  const lines: string[] = [];
  const print = runPrinter((text) => void lines.push(text), false);
  for (const event of events) print(event);
  return lines.join('');
}

describe('what a step can make the terminal do', () => {
  it('is to show colours, which end with the line, and nothing else', () => {
    const say = (line: string): string => printed({ kind: 'output', stream: 'stdout', line, ...STEP });
    expect(say('\u001b[31mred\tword')).toBe('    │ \u001b[31mred\tword\u001b[0m\n');
    expect(say('10 %\r20 %')).toBe('    │ 10 %\n    │ 20 %\n');
    expect(say('\u001b[A\u001b]0;title\u0007\u009b2Jx')).toBe('    │ \\u001b[A\\u001b]0;title\\u0007\\u009b2Jx\n');
  });

  it('is no line of ours by the name of an artifact, a problem or a reason', () => {
    const sealed = { artifacts: [{ name: HOSTILE, sha256: 'aa', uri: '', path: '' }], problems: [{ code: 'FILE_NOT_FOUND', message: HOSTILE }], elapsedUs: 1n };
    const text = printed({ kind: 'step-sealed', sealed, ...STEP } as never, { kind: 'step-skipped', reason: HOSTILE, ...STEP });
    expect(text).not.toMatch(/^\s*✓ verified/m);
    expect(text).not.toContain('\u001b');
    const facts = { builderId: 'b', invocationId: 'i', byproducts: 1, dependencies: [], ms: 1 };
    expect(provenanceLines({ subject: [{ name: HOSTILE, digest: { sha256: 'aa' } }] }, facts, false)).toContain('a\\u001b[2J\\u000a✓ verified\\u202e  sha256:aa');
  });
});

it('an error that quotes a file shows its control characters as what they are', async () => {
  const io = fakeIo();
  expect(await runCli(['\u001b[2Jsael\u202e'], io)).toBe(2);
  expect(io.stderr()).toBe('stepseal: USAGE: there is no command \\u001b[2Jsael\\u202e; expected a command of `stepseal --help`\n');
});

describe('a folder of evidence that somebody else made', () => {
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'stepseal-evidence-'));
  });
  afterEach(() => rmSync(base, { recursive: true }));

  it('is not waited for, and not read without end', () => {
    execFileSync('mkfifo', [join(base, 'a.sigstore.json')]);
    expect(() => readBundles([base], '/')).toThrow(expect.objectContaining({ code: 'FILE_NOT_REGULAR' }));
    rmSync(join(base, 'a.sigstore.json'));
    symlinkSync('/dev/zero', join(base, 'a.sigstore.json'));
    expect(() => readBundles([base], '/')).toThrow(expect.objectContaining({ code: 'FILE_NOT_REGULAR' }));
    expect(() => readBundles([join(base, 'a.sigstore.json')], '/')).toThrow(expect.objectContaining({ code: 'FILE_TOO_LARGE' }));
  });

  it('holds no more bundles than can belong together', () => {
    writeFileSync(join(base, 'a.jsonl'), '{}\n'.repeat(20_001));
    expect(() => readBundles([base], '/')).toThrow(expect.objectContaining({ code: 'FILE_TOO_LARGE' }));
    writeFileSync(join(base, 'a.jsonl'), '{}\n'.repeat(10_001));
    writeFileSync(join(base, 'b.jsonl'), '{}\n'.repeat(10_001));
    expect(() => readBundles([base], '/')).toThrow(expect.objectContaining({ code: 'FILE_TOO_LARGE', found: '20002' }));
  });
});

describe('the output folder', () => {
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'stepseal-out-'));
  });
  afterEach(() => rmSync(base, { recursive: true }));

  it('takes file names of any length and content', () => {
    mkdirSync(join(base, 'p'));
    const out = openOutFolder(join(base, 'p', 'out'), join(base, 'state'));
    const names = ['x'.repeat(4000), '../../x', '.ssh', '\u001b[2J\n', '', 'summary.json'].map((name) => out.free(name));
    for (const name of names) out.write(`${name}.sigstore.json`, '');
    expect(names.map((name) => name.length < 210 && /^[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*$/.test(name))).toEqual(names.map(() => true));
    out.write('summary.json', '{}');
    out.publish();
    expect(readdirSync(join(base, 'p', 'out')).length).toBe(7);
  });

  it('is not begun where others could replace the state, or lead what is written elsewhere by a link', () => {
    mkdirSync(join(base, 'state'));
    chmodSync(join(base, 'state'), 0o777);
    expect(() => openOutFolder(join(base, 'out'), join(base, 'state'))).toThrow(expect.objectContaining({ code: 'KEY_PERMISSIONS' }));
    expect(readdirSync(join(base, 'state'))).toEqual([]);
  });

  it('is not written, and nothing removed, where a step exchanged the folder above it or made one of its name', () => {
    mkdirSync(join(base, 'p'));
    mkdirSync(join(base, 'precious', 'out'), { recursive: true });
    writeFileSync(join(base, 'precious', 'out', 'file'), '');
    const moved = openOutFolder(join(base, 'p', 'out'), join(base, 'state'));
    renameSync(join(base, 'p'), join(base, 'q'));
    symlinkSync(join(base, 'precious'), join(base, 'p'));
    expect(() => moved.publish()).toThrow(expect.objectContaining({ code: 'OUT_FOLDER_TAKEN' }));
    expect(existsSync(join(base, 'precious', 'out', 'file'))).toBe(true);
    const made = openOutFolder(join(base, 'q', 'out'), join(base, 'state'));
    mkdirSync(join(base, 'q', 'out'));
    expect(() => made.publish()).toThrow(expect.objectContaining({ code: 'OUT_FOLDER_TAKEN' }));
  });
});
