/** Text from a file that may be hostile: control characters, line breaks and marks that turn the direction of writing become \u escapes. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const COLOUR = /\u001b\[[0-9;]{0,32}m/;
const PART = /(\u001b\[[0-9;]{0,32}m|\t)/;

/** A line that a step wrote: colours stay, and end with the line; everything else that moves the cursor or hides text is shown as what it is. */
export function printableLine(line: string): string {
  const parts = line.split(PART).map((part, index) => (index % 2 === 1 ? part : printable(part)));
  return parts.join('') + (COLOUR.test(line) ? '\u001b[0m' : '');
}
