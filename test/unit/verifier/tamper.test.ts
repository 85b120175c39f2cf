import { describe, expect, test } from 'vitest';
import { CERTIFICATE_ROWS } from './rows/certificate.ts';
import { CONTENT_ROWS } from './rows/content.ts';
import { LOG_ROWS } from './rows/log.ts';
import { RUN_ROWS } from './rows/run.ts';
import { createUniverse, flatten, type TamperRow } from './rows/row.ts';

const ROWS: readonly TamperRow[] = [...RUN_ROWS, ...CERTIFICATE_ROWS, ...CONTENT_ROWS, ...LOG_ROWS];

describe('every tamper class fails closed and names the broken link', () => {
  test.each(ROWS)('$id $name', async ({ attack, code, link }) => {
    const verdict = await attack(await createUniverse());
    const faults = flatten(verdict).flatMap((found) => (found.code === undefined ? [] : [`${found.code} at ${found.link}`]));
    if (code === 'ok') {
      expect(faults).toEqual([]);
      expect(verdict.status).toBe('ok');
      return;
    }
    expect(verdict.status).toBe('fail');
    expect(faults).toContain(`${code} at ${link}`);
  });

});
