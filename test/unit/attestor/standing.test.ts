import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lineage, processName } from '../../../src/attestor/ancestry.ts';
import { createCallers, type Callers } from '../../../src/attestor/callers.ts';
import { peerOf, type Peer } from '../../../src/attestor/peer.ts';
import { holdStep, type StepHold } from '../../../src/attestor/step.ts';
import { openTaint, TAINT_FILE } from '../../../src/attestor/taint.ts';
import { closed, firstChild, ISOLATE, namespacesWork, OTHER, othersWork, stage, type Stage } from './callers.ts';

let here: Stage;
let state: string;
let callers: Callers;
let holds: StepHold[];

beforeEach(async () => {
  here = await stage();
  state = mkdtempSync(join(tmpdir(), 'stepseal-taint-'));
  callers = createCallers(openTaint(state));
  holds = [];
});

afterEach(() => {
  for (const hold of holds) hold.release();
  here.end();
  rmSync(state, { recursive: true });
});

function open(attempt: string, pid: number, isolated: boolean): StepHold {
  const hold = holdStep(pid, isolated);
  holds.push(hold);
  callers.openStep(attempt, hold);
  return hold;
}

const peer = async (): Promise<Peer> => peerOf(await here.accept());
const refusal = (of: Peer): string => {
  try {
    return JSON.stringify(callers.standingOf(of));
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe.skipIf(!namespacesWork)('a step in its own pid namespace', () => {
  async function isolatedStep(attempt: string): Promise<{ pid: number; peer: Peer; socket: Socket }> {
    const outer = here.caller(undefined, { through: ISOLATE });
    const pid = await firstChild(outer.pid!);
    open(attempt, pid, true);
    const socket = await here.accept();
    return { pid, peer: peerOf(socket), socket };
  }

  it('is known by it, each step by its own', async () => {
    const [a, b] = [await isolatedStep('a'), await isolatedStep('b')];
    expect(callers.standingOf(a.peer)).toEqual({ kind: 'step', attempt: 'a' });
    expect(callers.standingOf(b.peer)).toEqual({ kind: 'step', attempt: 'b' });
  });

  it('gives nothing to a process in a nested namespace', async () => {
    const outer = here.caller('nested', { through: ISOLATE });
    open('a', await firstChild(outer.pid!), true);
    expect(refusal(await peer())).toBe('CALLER_NAMESPACE');
  });

  it('gives nothing to a process of a namespace that is nobody\'s', async () => {
    here.caller(undefined, { through: ISOLATE });
    expect(refusal(await peer())).toBe('CALLER_NAMESPACE');
  });

  it('ends for its processes at its end', async () => {
    const a = await isolatedStep('a');
    callers.endStep('a');
    expect(refusal(a.peer)).toBe('ATTEMPT_ENDED');
  });

  it('pins root and namespaces, which outlive the process', async () => {
    const outer = here.run(ISOLATE[0]!, [...ISOLATE.slice(1), 'sleep', '30']);
    const pid = await firstChild(outer.pid!);
    const hold = open('a', pid, true);
    expect(hold.alive()).toBe(true);
    process.kill(pid, 'SIGKILL');
    await new Promise((resolve) => outer.once('exit', resolve));
    expect(hold.alive()).toBe(false);
    expect(readFileSync(`/proc/self/fd/${hold.rootFd}/etc/hostname`, 'utf8')).toBe(readFileSync('/etc/hostname', 'utf8'));
  });

  it('is not believed when it shares the agent\'s namespace', () => {
    const child = here.run('sleep', ['30']);
    expect(() => holdStep(child.pid!, true)).toThrowError(expect.objectContaining({ code: 'STEP_NOT_ISOLATED' }));
    const gone = 4_000_000;
    expect(() => holdStep(gone, true)).toThrowError(expect.objectContaining({ code: 'STEP_PROCESS_GONE' }));
  });
});

describe('a step without namespaces', () => {
  const shell = (script: string) => here.run('sh', ['-c', script]);
  const callFrom = (mode = ''): string => `"${process.execPath}" "${join(import.meta.dirname, '../../fakes/callerProcess.ts')}" "${here.path}" ${mode}`;

  it('is known by descent from its supervisor', async () => {
    const supervisor = shell(`sh -c '${callFrom()}; true'; true`);
    open('a', supervisor.pid!, false);
    expect(callers.standingOf(await peer())).toEqual({ kind: 'step', attempt: 'a' });
    callers.endStep('a');
  });

  it('does not become the person by losing its parents, as long as the runner lives', async () => {
    // this test process is the runner, and the reaper of orphans
    const { requireNative } = await import('../../../src/keys/native.ts');
    requireNative().setSubreaper(true);
    try {
      callers.setRunner(processName(process.pid)!);
      const supervisor = shell('sleep 30');
      open('a', supervisor.pid!, false);
      shell(callFrom('orphan'));
      const orphan = await peer();
      expect(lineage(orphan.pid)?.[1]?.pid).toBe(process.pid);
      expect(refusal(orphan)).toBe('CALLER_OF_RUNNER');
      callers.endStep('a');
      expect(existsSync(join(state, TAINT_FILE))).toBe(true);
    } finally {
      requireNative().setSubreaper(false);
    }
  });

  it('leaves the person\'s road open when the runner ends after all of it has ended', async () => {
    const runner = shell('sleep 30; true');
    callers.setRunner(processName(runner.pid!)!);
    const supervisor = await firstChild(runner.pid!);
    open('a', supervisor, false);
    expect(existsSync(join(state, TAINT_FILE))).toBe(true);
    callers.endStep('a');
    expect(existsSync(join(state, TAINT_FILE))).toBe(false);
    callers.runnerEnded();
    here.caller();
    expect(callers.standingOf(await peer())).toEqual({ kind: 'workload', operator: true });
  });

  it('closes the person\'s road for good when the runner ends before it, also for a restarted agent', async () => {
    const supervisor = shell('sleep 30');
    open('a', supervisor.pid!, false);
    callers.runnerEnded();
    here.caller();
    const person = await peer();
    expect(refusal(person)).toBe('PERSON_ROAD_CLOSED');
    callers.endStep('a');
    expect(refusal(person)).toBe('PERSON_ROAD_CLOSED');
    callers = createCallers(openTaint(state));
    expect(refusal(person)).toBe('PERSON_ROAD_CLOSED');
    writeFileSync(join(state, TAINT_FILE), 'another boot');
    callers = createCallers(openTaint(state));
    expect(callers.standingOf(person)).toEqual({ kind: 'workload', operator: true });
  });
});

describe('a caller outside every step', () => {
  it('is the operator when it has the agent\'s user, otherwise a workload', async () => {
    here.caller();
    expect(callers.standingOf(await peer())).toEqual({ kind: 'workload', operator: true });
    if (!othersWork) return;
    here.caller(undefined, OTHER);
    expect(callers.standingOf(await peer())).toEqual({ kind: 'workload', operator: false });
  });

  it('is refused when the runner started it', async () => {
    callers.setRunner(processName(process.pid)!);
    here.caller();
    expect(refusal(await peer())).toBe('CALLER_OF_RUNNER');
  });

  it('is refused when it has ended', async () => {
    const child = here.caller();
    const socket = await here.accept();
    const gone = peerOf(socket);
    child.kill('SIGKILL');
    await closed(socket);
    expect(refusal(gone)).toBe('PEER_GONE');
  });

  it('of this very process is one too', async () => {
    connect(here.path);
    expect(callers.standingOf(await peer())).toEqual({ kind: 'workload', operator: true });
  });
});
