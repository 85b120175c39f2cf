import { defineConfig } from 'vitest/config';

/** In the order they run; the last two start processes of their own, one file at a time. */
const KINDS = ['unit', 'vectors', 'golden', 'property', 'rules', 'e2e', 'fault'] as const;
const SLOW = new Set<string>(['e2e', 'fault', 'interop']);

function project(kind: string, order: number) {
  const slow = SLOW.has(kind);
  return {
    test: {
      name: kind,
      include: [`test/${kind}/**/*.test.ts`],
      pool: 'forks' as const,
      maxWorkers: slow ? 1 : 2,
      testTimeout: slow ? 120_000 : 10_000,
      hookTimeout: slow ? 120_000 : 20_000,
      sequence: { groupOrder: order },
    },
  };
}

export default defineConfig({
  test: {
    projects: [...KINDS, 'interop'].map(project),
  },
});
