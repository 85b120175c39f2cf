import { StepsealError } from '../base/errors.ts';
import type { Explanation } from '../verifier/explanation.ts';
import { inspect } from '../verifier/inspect.ts';
import { defineCommand } from './command.ts';
import { readInput } from './evidenceFiles.ts';
import { printable } from './printable.ts';
import { styles } from './style.ts';

type Styles = ReturnType<typeof styles>;

export const command = defineCommand({
  name: 'inspect',
  summary: 'say in words what a bundle, certificate, token or trust file is',
  usage: 'FILE...',
  positionals: { min: 1, max: 100 },
  description: 'Reads a Sigstore bundle, certificates or X509-SVIDs (PEM or DER), a JWT-SVID, a checkpoint,\na trusted root, a signing config or a SPIFFE bundle. Verifies nothing.',
  options: {},
  examples: [{ line: 'stepseal inspect app.tgz.sigstore.json', text: 'who signed what, when, and where it is logged' }],
  run: async ({ positionals, json, io }) => {
    const explained = positionals.map((path) => ({ path, explanation: explainFile(path, io.cwd) }));
    if (json) io.out(`${JSON.stringify(explained)}\n`);
    else io.out(explained.map(({ path, explanation }) => `${path}: ${explanationText(explanation, styles(io.colour))}`).join('\n'));
    return 0;
  },
});

function explainFile(path: string, cwd: string): Explanation {
  const bytes = readInput(path, cwd);
  try {
    return inspect(bytes);
  } catch (cause) {
    if (!(cause instanceof StepsealError)) throw cause;
    const { code, message, expected, found } = cause;
    throw new StepsealError(code, `${path}: ${message}`, { cause, ...(expected !== undefined && { expected }), ...(found !== undefined && { found }) });
  }
}

/** Title, aligned facts, then the parts, indented. Ends with a newline. */
export function explanationText(explanation: Explanation, style: Styles, depth = 0): string {
  const indent = '  '.repeat(depth);
  const width = Math.max(...explanation.facts.map(([label]) => label.length));
  const facts = explanation.facts.map(([label, text]) => `${indent}  ${style.dim(printable(label).padEnd(width))}  ${printable(text)}\n`);
  const parts = explanation.parts.map((part) => `${indent}  ${explanationText(part, style, depth + 1)}`);
  return `${style.bold(explanation.title)}\n${[...facts, ...parts].join('')}`;
}
