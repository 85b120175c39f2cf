import type { Clock } from '../base/ports.ts';
import { type Lease, usable } from './lease.ts';
import { isTemporary } from './refusals.ts';

export interface Leases<V extends Lease> {
  /**
   * What is kept under the key until its renewal is due, otherwise what `issue` gives; callers at the same time share one
   * issue. While issuing is impossible (isTemporary), what is kept serves until it expires.
   */
  get(key: string, issue: () => Promise<V>): Promise<V>;
  /** Whether asking again may give something else. */
  due(key: string, value: V): boolean;
  /** Forgets; what is being issued at the moment is not kept either. */
  drop(match: (key: string) => boolean): void;
}

interface Entry<V> {
  value: V | undefined;
  pending: Promise<V> | undefined;
  /** no new try before */
  retryAt: number;
  failures: number;
}

const RETRY_MS = { first: 1000, longest: 15_000 };

/** At most `limit` leases, the least recently used go first. */
export function createLeases<V extends Lease>({ clock, limit }: { readonly clock: Clock; readonly limit: number }): Leases<V> {
  const entries = new Map<string, Entry<V>>();

  const touch = (key: string): Entry<V> => {
    const entry = entries.get(key) ?? { value: undefined, pending: undefined, retryAt: 0, failures: 0 };
    entries.delete(key);
    entries.set(key, entry);
    if (entries.size > limit) entries.delete(entries.keys().next().value!);
    return entry;
  };
  const waits = (entry: Entry<V>, now: number): boolean => now < entry.retryAt && now >= entry.retryAt - RETRY_MS.longest;

  const renew = async (key: string, entry: Entry<V>, issue: () => Promise<V>): Promise<V> => {
    try {
      const value = await issue();
      const now = clock.now();
      // a clock that is far ahead of the server's is past the renewal at once: then this pause holds
      Object.assign(entry, { value, retryAt: now < value.renewAt ? 0 : now + RETRY_MS.longest, failures: 0 });
      return value;
    } catch (error) {
      if (isTemporary(error)) entry.retryAt = clock.now() + Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** entry.failures++);
      else if (entries.get(key) === entry) entries.delete(key);
      throw error;
    } finally {
      entry.pending = undefined;
    }
  };

  return {
    async get(key, issue) {
      const entry = touch(key);
      const now = clock.now();
      const kept = entry.value !== undefined && usable(entry.value, now) ? entry.value : undefined;
      if (kept !== undefined && (now < kept.renewAt || waits(entry, now))) return kept;
      entry.pending ??= renew(key, entry, issue);
      try {
        return await entry.pending;
      } catch (error) {
        if (kept !== undefined && entries.get(key) === entry && usable(kept, clock.now())) return kept;
        throw error;
      }
    },
    due(key, value) {
      const now = clock.now();
      if (!usable(value, now)) return true;
      const entry = entries.get(key);
      return now >= value.renewAt && !(entry !== undefined && waits(entry, now));
    },
    drop(match) {
      for (const key of entries.keys()) if (match(key)) entries.delete(key);
    },
  };
}
