import type { Rng } from '../base/ports.ts';

/** Something issued, with its life: ms since the epoch. */
export interface Lease {
  readonly notBefore: number;
  readonly notAfter: number;
  /** from then on it is renewed */
  readonly renewAt: number;
}

/** Half of the life, and up to a tenth of that earlier or later, so that what was issued together is not renewed together. */
export function renewalTime({ notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number }, rng: Rng): number {
  const half = (notAfter - notBefore) / 2;
  const random = new DataView(rng.bytes(4).slice().buffer).getUint32(0) / 2 ** 32;
  return notBefore + half + half * 0.1 * (2 * random - 1);
}

/** Whether it may be given out: also a clock that was set back makes it unusable. */
export function usable({ notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number }, now: number): boolean {
  return notBefore <= now && now < notAfter;
}
