import { firstFault, type Verdict } from '../verifier/verdict.ts';
import { printable } from './printable.ts';
import type { styles } from './style.ts';

type Styles = ReturnType<typeof styles>;

/** A verdict as a tree of lines, then one line that says it all. */
export function verdictTree(verdict: Verdict, style: Styles): string {
  return `${lines(verdict, 0, style).join('\n')}\n${summary(verdict, style)}\n`;
}

/** The same without what is below the first links: for another artifact of a run whose tree has been shown. */
export function verdictBrief(verdict: Verdict, style: Styles): string {
  const children = verdict.children.map((child) => (child.status === 'ok' ? { ...child, children: [] } : child));
  return `${lines({ ...verdict, children }, 0, style).join('\n')}\n${summary(verdict, style)}\n`;
}

function lines(verdict: Verdict, depth: number, style: Styles): string[] {
  const { link, of, status, message, code, expected, found, children } = verdict;
  const mark = status === 'ok' ? style.green('✓') : status === 'fail' ? style.red('✗') : style.yellow('–');
  const indent = '  '.repeat(depth);
  const reason = code === undefined || children.length > 0 ? '' : `${style.red(code)}: `;
  const text = status === 'ok' && children.length === 0 ? style.dim(printable(message)) : printable(message);
  // what the whole comes to stands in the last line
  const says = status === 'ok' && depth === 0 ? '' : `: ${reason}${text}`;
  const own = [`${indent}${mark} ${style.bold(link)}${of === undefined ? '' : ` ${printable(of)}`}${says}`];
  if (expected !== undefined) own.push(`${indent}    expected ${printable(expected)}`);
  if (found !== undefined) own.push(`${indent}    found    ${printable(found)}`);
  // what every bundle has in common is told in one line where it holds
  if (link === 'bundle' && status === 'ok' && depth > 0) return [...own, `${indent}    ${style.dim(children.map((child) => child.link).join(', '))}`];
  return [...own, ...children.flatMap((child) => lines(child, depth + 1, style))];
}

function summary(verdict: Verdict, style: Styles): string {
  if (verdict.status === 'ok') return style.green(`PASS: ${printable(verdict.message)}`);
  const { link, code, message } = firstFault([verdict]);
  const word = verdict.status === 'fail' ? 'FAIL' : 'UNAVAILABLE';
  return style.red(`${word}: ${link}: ${code === undefined ? '' : `${code}: `}${printable(message)}`);
}
