import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a golden file holds; with UPDATE_GOLDEN=1 it is written first. `name` is below test/golden. */
export function golden(name: string, found: string): string {
  const path = join(import.meta.dirname, '../golden', name);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, found);
  }
  return readFileSync(path, 'utf8');
}
