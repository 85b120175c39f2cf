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

  test('every class has its row', () => {
    const classes =
      'T02 T04 T05 T08 T14 T16 T17 T19 T20 T22 T23 T26 T29 T31 T32 T34 T35 T37 T38 T40 T41 T43 T44 T46 T47 T49 T50 ' +
      'T52 T53 T55 T56 T58 T59 T61 T62 T64 T65 T67 T70 T71 T73 T74';
    expect(classes.split(' ').filter((id) => !ROWS.some((row) => row.id === id))).toEqual([]);
  });
});
