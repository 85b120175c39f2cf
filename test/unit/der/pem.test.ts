import { describe, expect, test } from 'vitest';
import { decodePem, encodePem } from '../../../src/der/pem.ts';

const DER = Uint8Array.from({ length: 100 }, (_, index) => index);
const PEM = encodePem('CERTIFICATE', DER);
const code = (name: string) => expect.objectContaining({ code: name });

describe('PEM', () => {
  test('lines have 64 characters and the text ends with a newline', () => {
    expect(PEM.split('\n').map((line) => line.length)).toEqual([27, 64, 64, 8, 25, 0]);
  });

  test('several blocks, blank lines and CRLF read back', () => {
    expect(decodePem(`\n${PEM}\n${PEM.replaceAll('\n', '\r\n')}`, 'CERTIFICATE').map((der) => Uint8Array.from(der))).toEqual([DER, DER]);
  });

  test.each([
    ['no block', ''],
    ['another label', PEM.replaceAll('CERTIFICATE', 'PRIVATE KEY')],
    ['text before the block', `Subject: x\n${PEM}`],
    ['text after the block', `${PEM}x\n`],
    ['no end', PEM.slice(0, -30)],
    ['an empty block', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
    ['a space in a line', PEM.replace('AAEC', 'AAE C')],
    ['a lost character', PEM.replace('AAEC', 'AAE')],
    ['padding that is missing', PEM.replaceAll('=', '')],
    ['lines of 76', PEM.replace(/^(.{64})\n(.{12})/m, '$1$2\n')],
    ['a blank line inside', PEM.replace('\nQ', '\n\nQ').replace('\nM', '\n\nM')],
  ])('%s is refused', (_, text) => {
    expect(() => decodePem(text, 'CERTIFICATE')).toThrow(code('PEM_INVALID'));
  });

  test('what stands in a file that is not PEM is not repeated', () => {
    expect(() => decodePem('hunter2', 'PRIVATE KEY')).toThrow(expect.objectContaining({ found: 'other text' }));
  });
});
