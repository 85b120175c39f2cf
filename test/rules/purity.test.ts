import { describe, expect, test } from 'vitest';
import { linesMatching, typescript } from './sources.ts';

/** Clock, randomness and environment come in through ports (src/base/ports.ts); these are the places that own them. */
const RULES: { name: string; pattern: RegExp; owners: readonly string[] }[] = [
  {
    name: 'the clock',
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bhrtime\b/,
    owners: ['src/keys/system.ts', 'src/cli/', /* a gRPC deadline is a time of this process's clock */ 'src/rpc/client.ts'],
  },
  {
    name: 'randomness',
    pattern: /\brandom(?:Bytes|UUID|Int|Fill|FillSync)\b|\bgetRandomValues\b|\bMath\.random\b/,
    owners: ['src/keys/system.ts', 'src/cli/', /* unique names of temporary files */ 'src/keys/files.ts'],
  },
  { name: 'the environment', pattern: /\bprocess\.(?:env|argv|cwd)\b/, owners: ['src/cli/'] },
  { name: 'the end of the process', pattern: /\bprocess\.(?:exit|exitCode|abort)\b/, owners: ['src/cli/'] },
  { name: 'the terminal', pattern: /\bconsole\.|\bprocess\.std(?:out|err|in)\b/, owners: ['src/cli/'] },
];

describe('who owns what a test cannot control', () => {
  test.each(RULES)('$name is used only by its owners', ({ pattern, owners }) => {
    const files = typescript('src').filter((path) => !owners.some((owner) => path.startsWith(owner)));
    expect(files.flatMap((path) => linesMatching(path, pattern))).toEqual([]);
  });
});
