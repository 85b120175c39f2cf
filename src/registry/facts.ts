import type { Custody } from '../x509/evidence.ts';

/** How a signature may be asked for (DESIGN §2): the agent signs; the step's own key over mTLS; a stock client with a JWT-SVID. */
export type Road = Custody;

export const ROADS: readonly Road[] = ['seal', 'in-step', 'bearer'];

/** A step attempt that the agent attested and the server opened. */
export interface StepFacts {
  readonly kind: 'step';
  readonly attemptId: string;
  /** path segments from the resolved references (task/), never from labels or run names */
  readonly path: readonly string[];
  /** false once the attempt's end has been reported: all roads are closed */
  readonly open: boolean;
}

/** A process outside every step, as the unix attestor saw it. */
export interface WorkloadFacts {
  readonly kind: 'workload';
  readonly uid: number;
  readonly gid: number;
  /** name of the uid; '' where the system has none */
  readonly user: string;
  /** of the executable */
  readonly path: string;
  /** lower-case hex; undefined when it was not asked for */
  readonly exeSha256?: string;
  /** the agent's operator, and by pid namespace and descent never a step or its child */
  readonly operator: boolean;
}

/** The agent itself, as node attestation named it. */
export interface AgentFacts {
  readonly kind: 'agent';
  /** how the node was attested, such as join_token */
  readonly attestor: string;
  /** random id, never the token */
  readonly id: string;
}

/** A part of the control plane; made only by the process that is it. */
export interface RoleFacts {
  readonly kind: 'role';
  readonly role: 'server' | 'provenance';
}

export type AttestedFacts = StepFacts | WorkloadFacts | AgentFacts | RoleFacts;

/** What a template may ask for: one source of facts, and the attributes that it attests. */
export type Source = 'step' | 'unix' | 'person' | 'agent' | 'role';

export interface Attested {
  readonly source: Source;
  /** an array fills `{name**}`, a string `{name}` */
  readonly attributes: Readonly<Record<string, string | readonly string[]>>;
}

/** The sources that facts speak for: an operator is a person and a workload too. A closed attempt speaks for nothing. */
export function attestedOf(facts: AttestedFacts): Attested[] {
  switch (facts.kind) {
    case 'step':
      return facts.open ? [{ source: 'step', attributes: { path: facts.path } }] : [];
    case 'agent':
      return [{ source: 'agent', attributes: { attestor: facts.attestor, id: facts.id } }];
    case 'role':
      return [{ source: 'role', attributes: { role: facts.role } }];
    case 'workload': {
      const attributes = {
        uid: String(facts.uid),
        gid: String(facts.gid),
        user: facts.user,
        path: facts.path,
        ...(facts.exeSha256 === undefined ? {} : { exeSha256: facts.exeSha256 }),
      };
      return facts.operator ? [{ source: 'person', attributes }, { source: 'unix', attributes }] : [{ source: 'unix', attributes }];
    }
  }
}
