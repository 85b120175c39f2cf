import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { createCrowd } from '../../../src/agent/crowd.ts';
import type { Callers, Crowd } from '../../../src/attestor/callers.ts';
import { isStepsealError } from '../../../src/base/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'stepseal-crowd-'));
const path = join(folder, 's');
let as: Crowd;
let outcomes: string[];
let clients: Socket[];
let close: () => Promise<void>;

beforeEach(async () => {
  [outcomes, clients] = [[], []];
  const callers = { crowdOf: () => as } as Partial<Callers> as Callers;
  const admit = createCrowd(callers, 'auto', { operator: 3, each: 2, strangers: 3 });
  const server = createServer((socket) => {
    try {
      admit(socket);
      outcomes.push(as.name);
    } catch (error) {
      outcomes.push(isStepsealError(error) ? error.code : String(error));
      socket.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  close = async () => {
    for (const client of clients) client.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
});
afterEach(() => close());
afterAll(() => rmSync(folder, { recursive: true }));

async function comes(kind: Crowd['kind'], name: string): Promise<string> {
  as = { kind, name };
  const seen = outcomes.length;
  clients.push(connect(path).on('error', () => undefined));
  while (outcomes.length === seen) await new Promise((resolve) => setTimeout(resolve, 1));
  return outcomes.at(-1)!;
}

test('a step, a user, all strangers and the operator are held to their numbers, each without the others', async () => {
  expect([await comes('step', 'a'), await comes('step', 'a'), await comes('step', 'a'), await comes('step', 'b')]).toEqual(['a', 'a', 'CONNECTION_LIMIT', 'b']);
  expect([await comes('stranger', 'u1'), await comes('stranger', 'u1'), await comes('stranger', 'u1')]).toEqual(['u1', 'u1', 'CONNECTION_LIMIT']);
  expect([await comes('stranger', 'u2'), await comes('stranger', 'u2')]).toEqual(['u2', 'CONNECTION_LIMIT']);
  for (const expected of ['me', 'me', 'me', 'CONNECTION_LIMIT']) expect(await comes('operator', 'me')).toBe(expected);
});

test('who leaves makes room', async () => {
  await comes('step', 'a');
  await comes('step', 'a');
  clients[0]!.destroy();
  while ((await comes('step', 'a')) !== 'a') await new Promise((resolve) => setTimeout(resolve, 1));
});
