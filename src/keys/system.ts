import { randomBytes } from 'node:crypto';
import type { Clock, Rng } from '../base/ports.ts';

export const systemClock: Clock = { now: () => Date.now() };

export const systemRng: Rng = { bytes: (length) => randomBytes(length) };
