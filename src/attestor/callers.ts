import { StepsealError } from '../base/errors.ts';
import { descendants, lineage, processName, sameProcess, type ProcessName } from './ancestry.ts';
import type { Peer } from './peer.ts';
import { procFolder, procNamespace } from './procfs.ts';
import type { StepHold } from './step.ts';
import type { Taint } from './taint.ts';

/** Who a caller is to this agent. */
export type Standing =
  | { readonly kind: 'step'; readonly attempt: string }
  /** outside every step; `operator`: of the user that runs this agent */
  | { readonly kind: 'workload'; readonly operator: boolean };

/** One isolated step, the operator's programs (unisolated steps too), or one other user; namespaces that are no step's are one. */
export interface Crowd {
  readonly kind: 'step' | 'operator' | 'stranger';
  readonly name: string;
}

export interface Callers {
  /** The process that may register steps: everything that descends from it is no workload. */
  setRunner(runner: ProcessName): void;
  openStep(attempt: string, hold: StepHold): void;
  /** Calls of the step's processes are refused from now on: ATTEMPT_ENDED. */
  endStep(attempt: string): void;
  /** The runner is gone: what it left behind can no longer be told from the person's processes. */
  runnerEnded(): void;
  /** With whom a caller's connections are counted. */
  crowdOf(peer: Peer): Crowd;
  /** Throws ATTEMPT_ENDED, CALLER_NAMESPACE, CALLER_OF_RUNNER, CALLER_ANCESTRY, PERSON_ROAD_CLOSED, PEER_GONE. */
  standingOf(peer: Peer): Standing;
}

interface Entry {
  readonly attempt: string;
  readonly hold: StepHold;
  ended: boolean;
}

/** Ended steps whose namespace is still pinned, so that late callers get the right answer; dropping one is safe: an unknown namespace gets nothing. */
const ENDED_KEPT = 256;
const SETTLE_MS = [100, 400, 1500, 5000];

/**
 * The local-runner attestor. Isolated steps are known by their pid namespace: whatever a process does, it cannot leave
 * it but into a nested one, and nested ones get nothing. Unisolated steps are known by descent from their supervisor;
 * there a process may outlive all that shows its descent, therefore the person's road closes for good when the runner
 * ends before every unisolated step is seen to have left no process behind (docs/design/0042).
 */
export function createCallers(taint: Taint): Callers {
  const own = procNamespace(procFolder(process.pid), 'pid');
  const entries: Entry[] = [];
  let runner: ProcessName | undefined;
  let runnerAlive = false;
  let bystanders: ProcessName[] = [];

  const isolatedIn = (namespace: string | undefined): Entry | undefined => entries.find(({ hold }) => hold.isolated && hold.pidNamespace === namespace);
  const openUnisolated = (): Entry[] => entries.filter(({ hold, ended }) => !ended && !hold.isolated);
  /** No step is open, and of all that the runner started after its first step nothing lives but supervisors. */
  const clean = (): boolean => {
    if (runner === undefined || openUnisolated().length > 0) return false;
    const left = descendants(runner, bystanders);
    const now = processName(runner.pid);
    // asked after the look: orphans of a runner that has ended would not have been seen
    return now !== undefined && sameProcess(now, runner) && left.every((name) => entries.some(({ hold }) => sameProcess(hold.process, name)));
  };

  const settle = (delays: readonly number[]): void => {
    if (!taint.open || !runnerAlive) return;
    if (clean()) taint.clear();
    else if (delays.length > 0) setTimeout(settle, delays[0], delays.slice(1)).unref();
  };

  return {
    setRunner(name) {
      runner = name;
      runnerAlive = true;
    },

    openStep(attempt, hold) {
      if (!hold.isolated && !taint.open) {
        // the server, this agent: what was below the runner before its first step
        bystanders = runner === undefined ? [] : descendants(runner, [hold.process]);
        taint.set();
      }
      entries.push({ attempt, hold, ended: false });
    },

    endStep(attempt) {
      const entry = entries.find((each) => each.attempt === attempt && !each.ended);
      if (entry === undefined) return;
      entry.ended = true;
      const ended = entries.filter((each) => each.ended);
      if (ended.length > ENDED_KEPT) {
        const [oldest] = entries.splice(entries.indexOf(ended[0]!), 1);
        oldest!.hold.release();
      }
      settle(SETTLE_MS);
    },

    runnerEnded() {
      runnerAlive = false;
      if (taint.open) taint.close();
    },

    crowdOf(peer) {
      const namespace = procNamespace(peer.folder, 'pid');
      const step = isolatedIn(namespace);
      if (step !== undefined) return { kind: 'step', name: `attempt ${step.attempt}` };
      // these can be made without end
      if (namespace !== own) return { kind: 'stranger', name: 'foreign namespaces' };
      return { kind: peer.uid === process.geteuid?.() ? 'operator' : 'stranger', name: `uid ${peer.uid}` };
    },

    standingOf(peer) {
      const namespace = procNamespace(peer.folder, 'pid');
      const isolated = isolatedIn(namespace);
      if (isolated !== undefined) return stepStanding(isolated, peer);
      if (namespace === undefined || namespace !== own) {
        peer.assertAlive();
        throw new StepsealError('CALLER_NAMESPACE', 'the caller is in a pid namespace that is not a step\'s: a process in a nested namespace has no identity');
      }
      const chain = lineage(peer.pid);
      peer.assertAlive();
      if (chain === undefined) throw new StepsealError('CALLER_ANCESTRY', 'the ancestors of the caller cannot be established');
      const step = entries.find(({ hold }) => !hold.isolated && chain.some((name) => sameProcess(name, hold.process)));
      if (step !== undefined) return stepStanding(step, peer);
      if (runner !== undefined && chain.some((name) => sameProcess(name, runner!))) {
        throw new StepsealError('CALLER_OF_RUNNER', 'the caller was started by the runner, but belongs to no step');
      }
      if (taint.closed) {
        throw new StepsealError('PERSON_ROAD_CLOSED', 'a runner ended before its unisolated steps: what they left behind cannot be told from the person\'s programs', {
          expected: 'a restart of this machine, or steps in namespaces of their own',
        });
      }
      return { kind: 'workload', operator: peer.uid === process.geteuid?.() };
    },
  };

  function stepStanding(entry: Entry, peer: Peer): Standing {
    peer.assertAlive();
    if (entry.ended) throw new StepsealError('ATTEMPT_ENDED', 'the step has ended: nothing is issued or signed for it any more');
    return { kind: 'step', attempt: entry.attempt };
  }
}

/** The process on the other end of an inherited connection, by its credentials. Throws STEP_PROCESS_GONE. */
export function runnerName(peer: Peer): ProcessName {
  const name = processName(peer.pid);
  peer.assertAlive();
  if (name === undefined) throw new StepsealError('PEER_GONE', 'the runner has ended');
  return name;
}
