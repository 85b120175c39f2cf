import { describe, expect, test } from 'vitest';
import { linesMatching, typescript } from './sources.ts';

/** The rooms that are functions: what they need of the world comes through ports (src/base/ports.ts). */
const PURE = /^src\/(?:base|der|merkle|spiffe|x509|envelope|task|provenance|policy|verifier|ca|log|tsa|registry|trust)\//;

interface Rule {
  readonly name: string;
  readonly pattern: RegExp;
  readonly owners: RegExp;
}

const RULES: readonly Rule[] = [
  // a gRPC deadline is a time of this process's clock
  { name: 'the wall clock', pattern: /\bDate\.now\(|\bnew Date\(\)/, owners: /^src\/(?:cli\/|keys\/system\.ts|rpc\/client\.ts)/ },
  { name: 'randomness that can be guessed', pattern: /\bMath\.random\b/, owners: /^$/ },
  { name: 'the environment', pattern: /\bprocess\.(?:env|argv|cwd)\b/, owners: /^src\/cli\// },
  { name: 'the end of the process', pattern: /\bprocess\.(?:exit|exitCode|abort)\b/, owners: /^src\/cli\// },
  { name: 'the terminal', pattern: /\bconsole\.|\bprocess\.std(?:out|err|in)\b/, owners: /^src\/cli\// },
];

/** Not below floor 3, in whatever form. */
const WORLD =
  /\bperformance\.now\(|\bhrtime\b|\brandom(?:Bytes|UUID|Int|Fill|FillSync)\b|\bgetRandomValues\b|\bgenerateKeyPair(?:Sync)?\b|\bprocess\.|\bfetch\(/;

describe('who owns what a test cannot control', () => {
  test.each(RULES)('$name is used only by its owners', ({ pattern, owners }) => {
    const files = typescript('src').filter((path) => !owners.test(path));
    expect(files.flatMap((path) => linesMatching(path, pattern))).toEqual([]);
  });

  test('floors 0 to 2 know neither time nor chance nor the process', () => {
    const files = typescript('src').filter((path) => PURE.test(path));
    expect(files.flatMap((path) => linesMatching(path, WORLD))).toEqual([]);
  });
});
