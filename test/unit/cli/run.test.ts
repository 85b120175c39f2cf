import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { runCli } from '../../../src/cli/run.ts';
import { TABLE } from '../../../src/cli/table.ts';
import { fakeIo } from '../../fakes/io.ts';

const call = async (...args: string[]) => {
  const io = fakeIo();
  return { code: await runCli(args, io), out: io.stdout(), err: io.stderr() };
};

describe('the command line', () => {
  test('--version prints the version of the package', async () => {
    expect(await call('--version')).toEqual({ code: 0, out: `stepseal ${manifest.version}\n`, err: '' });
  });

  test('--help lists every command on stdout', async () => {
    const { code, out } = await call('--help');
    expect(code).toBe(0);
    for (const { name, summary } of TABLE) expect(out).toMatch(new RegExp(`^  ${name} +${summary.replace(/[()]/g, '\\$&')}$`, 'm'));
  });

  test('without a command the help goes to stderr and the call is a usage error', async () => {
    const { code, out, err } = await call();
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Commands');
  });

  test('an unknown command names the nearest ones', async () => {
    expect(await call('sael')).toEqual({ code: 2, out: '', err: 'stepseal: USAGE: there is no command sael; expected seal\n' });
  });

  test('with --json an error is a document on stdout', async () => {
    const { code, out, err } = await call('sael', '--json');
    expect({ code, err }).toEqual({ code: 2, err: '' });
    expect(JSON.parse(out)).toEqual({ error: { code: 'USAGE', message: 'there is no command sael', expected: 'seal' } });
  });

  test.each(['status', 'join-token'])('%s says where no server answers', async (name) => {
    expect(await call(name, '--socket', '/nowhere/admin.sock')).toEqual({
      code: 3, out: '', err: 'stepseal: SERVICE_UNREACHABLE: no server answers on /nowhere/admin.sock; expected a running server; STEPSEAL_ADMIN_SOCKET says where; found connect ENOENT /nowhere/admin.sock\n',
    });
  });

  test.each(TABLE.map(({ name }) => name))('%s --help shows usage, options and examples, without escapes', async (name) => {
    const { code, out } = await call(name, '--help');
    const entry = TABLE.find((candidate) => candidate.name === name)!;
    const { command } = await entry.load();
    expect(code).toBe(0);
    expect({ name: command.name, summary: command.summary }).toEqual({ name, summary: entry.summary });
    expect(command.examples.length).toBeGreaterThan(0);
    for (const option of Object.keys(command.options)) expect(out).toContain(`--${option}`);
    for (const { line } of command.examples) expect(out).toContain(line);
    expect(out).not.toContain('\u001b');
    expect(await call('help', name)).toMatchObject({ code: 0, out });
  });

  test.each(['bash', 'zsh', 'fish'])('completion for %s names every command and option', async (shell) => {
    const { code, out } = await call('completion', shell);
    expect(code).toBe(0);
    for (const entry of TABLE) {
      const { command } = await entry.load();
      expect(out).toContain(entry.name);
      for (const option of Object.keys(command.options)) expect(out).toContain(shell === 'fish' ? `-l ${option}` : `--${option}`);
    }
  });

  test('the completion script of bash completes commands and options', async () => {
    const { out } = await call('completion', 'bash');
    const ask = `${out}\nCOMP_WORDS=(stepseal join); COMP_CWORD=1; _stepseal; echo "\${COMPREPLY[@]}"\nCOMP_WORDS=(stepseal seal --ou); COMP_CWORD=2; _stepseal; echo "\${COMPREPLY[@]}"`;
    expect(execFileSync('bash', ['-c', ask], { encoding: 'utf8' })).toBe('join-token\n--out\n');
  });

  test('--json wraps the completion script', async () => {
    const { out } = await call('completion', 'bash', '--json');
    expect(JSON.parse(out)).toEqual({ shell: 'bash', script: (await call('completion', 'bash')).out });
  });

  test('an unknown shell is refused', async () => {
    expect(await call('completion', 'csh')).toMatchObject({ code: 2, err: expect.stringContaining('bash, fish, zsh') });
  });
});
