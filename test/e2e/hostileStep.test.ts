import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentBed, agentBed } from '../fakes/agentBed.ts';

const TASK = `apiVersion: tekton.dev/v1
kind: Task
metadata: { name: demo }
spec:
  steps: [{ name: build, script: "true" }]
`;
const refusal = (code: string): object => ({ error: expect.objectContaining({ code }) as object });

describe('a hostile step', () => {
  let bed: AgentBed;
  beforeAll(async () => {
    bed = await agentBed();
  });
  afterAll(() => bed.close());
  const opened = async () => bed.step(await bed.run(TASK, false), 'build', false);

  it('does not keep its end from coming by files that take long to read', async () => {
    const step = await opened();
    const large = join(step.folder, 'large');
    writeFileSync(large, '');
    truncateSync(large, 2 * 1024 ** 3);
    // some twenty minutes
    const sealing = step.call('POST', '/v1/seal', { items: Array.from({ length: 1000 }, () => ({ path: large })) });
    expect(await step.call('GET', '/v1/identity')).toMatchObject({ identities: [{ spiffeId: step.started.spiffeId }] });
    const { claim } = await step.end();
    expect(claim).toBeDefined();
    expect(await sealing).toEqual(refusal('ATTEMPT_ENDED'));
  });

  it('has a claim of bounded size, however often it asks', async () => {
    const step = await opened();
    const ask = (): Promise<never> => step.call('POST', '/v1/seal', { items: Array.from({ length: 4000 }, () => ({ path: '/x' })) });
    // refused ones count too
    for (let i = 0; i < 5; i++) expect(await ask()).toEqual(refusal('FILE_NOT_FOUND'));
    expect(await ask()).toEqual(refusal('SEAL_INVALID'));
    await step.end();
  });

  it('gets no token for audiences without end', async () => {
    const step = await opened();
    const ask = (audience: string[]): Promise<never> => step.call('POST', '/v1/token', { audience });
    expect(await ask(Array<string>(5).fill('a'.repeat(1000)))).toEqual(refusal('WORKLOAD_REQUEST'));
    expect(await ask(Array.from({ length: 17 }, (_, i) => `a${i}`))).toEqual(refusal('WORKLOAD_REQUEST'));
    expect(await ask(Array<string>(4).fill('a'.repeat(1000)))).toMatchObject({ svids: [{ spiffeId: step.started.spiffeId }] });
    await step.end();
  });
});
