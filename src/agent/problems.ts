import { isStepsealError, type Code, type StepsealError } from '../base/errors.ts';

/** Why a run gets no provenance although it goes on. */
export interface Problem {
  readonly code: Code;
  readonly message: string;
}

/** What went wrong at a step's end, collected: one bad file must not hide the others. */
export class Problems {
  readonly list: Problem[] = [];

  add(code: Code, message: string): void {
    this.list.push({ code, message });
  }

  /** What `work` gives, or undefined with its refusal noted. Faults of ours are thrown. */
  async try<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!isStepsealError(error) || error.kind === 'internal') throw error;
      this.add(error.code, sentence(error));
      return undefined;
    }
  }
}

function sentence({ message, expected, found }: StepsealError): string {
  return [message, expected === undefined ? '' : `expected ${expected}`, found === undefined ? '' : `found ${found}`].filter(Boolean).join('; ');
}
