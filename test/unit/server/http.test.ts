import { describe, expect, test } from 'vitest';
import { StepsealError } from '../../../src/base/errors.ts';
import { orOption } from '../../../src/server/http.ts';

describe('a port that cannot be had', () => {
  test('is told with the option that chooses another', async () => {
    const taken = Promise.reject(new StepsealError('PORT_TAKEN', 'port 7980 of 127.0.0.1 is in use by another program', { expected: 'a free port', found: '7980' }));
    await expect(orOption('http-port', taken)).rejects.toMatchObject({ code: 'PORT_TAKEN', found: '7980', expected: expect.stringContaining('--http-port') });
  });

  test('for another reason is told as it is', async () => {
    const failed = new StepsealError('ADDRESS_UNUSABLE', 'no');
    await expect(orOption('http-port', Promise.reject(failed))).rejects.toBe(failed);
    await expect(orOption('http-port', Promise.resolve(1))).resolves.toBe(1);
  });
});
