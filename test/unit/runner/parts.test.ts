import { describe, expect, it } from 'vitest';
import { lineSplitter } from '../../../src/runner/lines.ts';
import { aliases, parseMountinfo } from '../../../src/runner/mountinfo.ts';
import { schedule } from '../../../src/runner/schedule.ts';
import { quote } from '../../../src/runner/shell.ts';
import type { FinishedTask } from '../../../src/runner/taskRun.ts';
import { object, plan } from '../task/fixtures.ts';

describe('paths at which a folder is seen', () => {
  const mounts = parseMountinfo(
    [
      '20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
      '21 20 8:2 / /home rw,nosuid - ext4 /dev/sda2 rw',
      '22 20 8:2 /me/project /srv/my\\040project ro - ext4 /dev/sda2 rw',
      '23 20 8:2 /me/project/.state/keys /mnt/keys rw - ext4 /dev/sda2 rw',
      '24 20 0:30 / /proc rw - proc proc rw',
    ].join('\n'),
  );

  it.each([
    ['/home/me/project/.state', ['/home/me/project/.state', '/srv/my project/.state', '/mnt/keys']],
    ['/home/me', ['/home/me', '/srv/my project', '/mnt/keys']],
    ['/home/meta', ['/home/meta']],
    ['/etc', ['/etc']],
  ])('of %s are %j', (path, seen) => {
    expect(aliases(mounts, path)).toEqual(seen);
  });
});

describe('lines', () => {
  const split = (...parts: (string | Uint8Array)[]): string[] => {
    const lines: string[] = [];
    const splitter = lineSplitter((line) => lines.push(line));
    for (const part of parts) splitter.push(typeof part === 'string' ? Buffer.from(part) : part);
    splitter.end();
    return lines;
  };

  it('come whole whatever pieces they arrive in, a character cut in two included', () => {
    expect(split('a', 'b\nc\r\n\n', Uint8Array.of(0xc3), Uint8Array.of(0xa4), 'z')).toEqual(['ab', 'c', '', 'äz']);
  });

  it('that never end are cut', () => {
    expect(split('x'.repeat(150_000)).map(({ length }) => length)).toEqual([65_536, 65_536, 18_928]);
  });
});

describe('a word for the shell', () => {
  it('has no way out of its quotes', () => {
    expect(quote(`a'b $(c) "d"`)).toBe(`'a'\\''b $(c) "d"'`);
  });
});

describe('the schedule', () => {
  const tasks = plan(object('Pipeline', 'p', `tasks:\n${['a', 'b', 'c', 'd'].map((name) => `  - { name: ${name}, taskSpec: { steps: [{ script: x }] }${name === 'd' ? ', runAfter: [a]' : ''} }\n`).join('')}`)).taskRuns;
  const finished = { view: {}, ended: { status: 'Succeeded' } } as unknown as FinishedTask;

  it('runs no more at once than it may, and what waits when it can', async () => {
    let now = 0;
    let most = 0;
    const order: string[] = [];
    await schedule(tasks, 2, async ({ pipelineTask }) => {
      order.push(pipelineTask);
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return finished;
    }, () => finished, () => false, () => undefined);
    expect(most).toBe(2);
    expect(order.toSorted()).toEqual(['a', 'b', 'c', 'd']);
    expect(order.indexOf('d')).toBeGreaterThan(order.indexOf('a'));
  });

  it('starts nothing after an error, tells the others, and throws it when all have ended', async () => {
    const events: string[] = [];
    const run = schedule(tasks, 2, async ({ pipelineTask }) => {
      events.push(`start ${pipelineTask}`);
      await new Promise((resolve) => setImmediate(resolve));
      if (pipelineTask === 'a') throw new Error('broken');
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`end ${pipelineTask}`);
      return finished;
    }, () => finished, () => false, () => events.push('told'));
    await expect(run).rejects.toThrow('broken');
    expect(events).toEqual(['start a', 'start b', 'told', 'end b']);
  });
});
