import { createPublicKey, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { toBase64Url } from '../../src/base/base64.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { pae } from '../../src/envelope/dsse.ts';

// DSSE v1, "Test Vectors": https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
const TYPE = 'http://example.com/HelloWorld';
const PAYLOAD = utf8('hello world');
const SIGNATURE = 'A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==';
const X = 46950820868899156662930047687818585632848591499744589407958293238635476079160n;
const Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820n;

test('the pre-authentication encoding of the DSSE specification', () => {
  expect(Buffer.from(pae(TYPE, PAYLOAD)).toString()).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('the signature of the DSSE specification holds over it', () => {
  const coordinate = (value: bigint) => toBase64Url(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'));
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: coordinate(X), y: coordinate(Y) }, format: 'jwk' });
  const holds = (type: string) => verify('sha256', pae(type, PAYLOAD), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(SIGNATURE, 'base64'));
  expect(holds(TYPE)).toBe(true);
  expect(holds(`${TYPE} `)).toBe(false);
});

test('lengths count bytes, not characters', () => {
  expect(Buffer.from(pae('é', utf8('😀'))).toString()).toBe('DSSEv1 2 é 4 😀');
  expect(Buffer.from(pae('', new Uint8Array(0))).toString()).toBe('DSSEv1 0  0 ');
});

test('the payload may be any bytes', () => {
  expect([...pae('t', Uint8Array.of(0, 255, 10))].slice(-3)).toEqual([0, 255, 10]);
});
