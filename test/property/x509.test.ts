import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isStepsealError } from '../../src/base/errors.ts';
import { children, parseDer, bytesOf, type DerNode } from '../../src/der/read.ts';
import { asInteger, asNamedBits, asOid, asTime } from '../../src/der/values.ts';
import { encode, integer, namedBits, oid, time } from '../../src/der/write.ts';
import { decodePem, encodePem } from '../../src/der/pem.ts';
import { assembleCertificate, tbsCertificate } from '../../src/x509/template.ts';
import { extension, fulcioExtension, sctList } from '../../src/x509/extensions.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { verifyCertificateChain } from '../../src/x509/path.ts';
import { parseSctList, encodeSct, encodeSctList } from '../../src/x509/sct.ts';
import { parseTimestampRequest } from '../../src/x509/timestampRequest.ts';
import { parseTimestampResponse } from '../../src/x509/timestamp.ts';
import { parseCsr } from '../../src/x509/csr.ts';
import { EKU } from '../../src/x509/oids.ts';
import { authority, flip, leaf, NOW } from '../fakes/pki.ts';

fc.configureGlobal({ seed: 20_260_304 });

/** Runs; what it throws must be a typed refusal. */
function refusedOr<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return undefined;
  }
}

const root = authority({ name: 'root', uri: 'spiffe://example.org' });
const ca = authority({ name: 'ca', by: root, uri: 'spiffe://example.org', pathLength: 0, ekus: [EKU.codeSigning], permitted: ['example.org'] });
const signing = leaf({ by: ca, ekus: [EKU.codeSigning], more: [fulcioExtension(8, 'https://example.org'), sctList(new Uint8Array(8)), extension('1.2.3', false, new Uint8Array(3))] });

/** The same bytes written again, value by value. */
function rewrite(node: DerNode): Uint8Array {
  if ((node.tag & 0x20) === 0) return encode(node.tag, node.source.subarray(node.body, node.end));
  return encode(node.tag, ...children(node, node.tag).map(rewrite));
}

describe('DER', () => {
  test('whatever parses, constructed values included, is written back as the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const written = refusedOr(() => rewrite(parseDer(bytes)));
        if (written) expect(Buffer.compare(written, bytes)).toBe(0);
      }),
      { numRuns: 3_000 },
    );
    for (const { certificate } of [root, ca, signing]) expect(Buffer.compare(rewrite(parseDer(certificate.der)), certificate.der)).toBe(0);
  });

  test('integers, identifiers, bit lists and times read back', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 160n }), (value) => {
      expect(asInteger(parseDer(integer(value)), 'i')).toBe(value);
    }));
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 2), fc.nat(39), fc.array(fc.nat(2 ** 31 - 1), { maxLength: 5 }), (first, second, rest) => {
        const text = [first, second, ...rest].join('.');
        expect(asOid(parseDer(oid(text)), 'oid')).toBe(text);
      }),
    );
    fc.assert(fc.property(fc.nat(2 ** 31 - 1), (bits) => {
      expect(asNamedBits(parseDer(namedBits(bits)), 'bits')).toBe(bits);
    }));
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(1950) / 1000, max: Date.UTC(9999, 11, 31) / 1000 }), (seconds) => {
        expect(asTime(parseDer(time(seconds * 1000)), 'time')).toBe(seconds * 1000);
      }),
    );
  });

  test('whatever integer parses has one spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), (content) => {
        const value = refusedOr(() => asInteger(parseDer(encode(2, content)), 'i'));
        if (value !== undefined && value >= 0n) expect(Buffer.compare(integer(value), encode(2, content))).toBe(0);
      }),
    );
  });

  test('PEM reads back', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (der) => {
      expect(Buffer.compare(decodePem(encodePem('X', der), 'X')[0]!, der)).toBe(0);
    }));
  });
});

describe('a certificate', () => {
  const verify = (der: Uint8Array) =>
    verifyCertificateChain({ leaf: parseCertificate(der), intermediates: [ca.certificate], roots: [root.certificate], time: NOW, purpose: 'signing', trustDomain: 'example.org' });

  test('from a template of any shape parses to what the template says', () => {
    const shapes = fc.record({
      serial: fc.uint8Array({ minLength: 1, maxLength: 19 }).filter((bytes) => bytes.some((byte) => byte > 0)),
      begin: fc.integer({ min: 0, max: 4_000_000_000 }),
      life: fc.integer({ min: 0, max: 4_000_000_000 }),
      values: fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 20 }),
      critical: fc.boolean(),
    });
    fc.assert(
      fc.property(shapes, ({ serial, begin, life, values, critical }) => {
        const template = {
          serial, algorithm: 'ecdsa-p256-sha256', issuer: ca.certificate.subject, subject: signing.certificate.subject, notBefore: begin * 1000,
          notAfter: (begin + life) * 1000, spki: signing.key.spki,
          extensions: values.map((value) => extension(`1.2.3.${value}`, critical, integer(value))),
        } as const;
        const tbs = tbsCertificate(template);
        const certificate = parseCertificate(assembleCertificate(tbs, 'ecdsa-p256-sha256', Uint8Array.of(1)));
        expect(certificate).toMatchObject({ notBefore: template.notBefore, notAfter: template.notAfter });
        expect(Buffer.compare(certificate.tbs, tbs)).toBe(0);
        expect(certificate.extensions.map((each) => each.oid)).toEqual(values.map((value) => `1.2.3.${value}`));
        expect(certificate.unknownCritical).toHaveLength(critical ? values.length : 0);
        const again = tbsCertificate({ ...certificate, algorithm: certificate.signatureAlgorithm, extensions: children(lastField(certificate.tbs)).map(bytesOf) });
        expect(Buffer.compare(again, tbs)).toBe(0);
      }),
    );
  });

  function lastField(tbs: Uint8Array): DerNode {
    const [extensions] = children(children(parseDer(tbs)).at(-1)!, 0xa3);
    return extensions!;
  }

  test('verifies, and with any one bit changed is refused with a typed error', () => {
    const { der } = signing.certificate;
    expect(verify(der)).toHaveLength(3);
    for (let at = 0; at < der.length; at++) {
      for (let bit = 0; bit < 8; bit++) expect(refusedOr(() => verify(flip(der, at, bit))), `byte ${at}, bit ${bit}`).toBeUndefined();
    }
  });

  test('cut or lengthened anywhere is refused', () => {
    const { der } = signing.certificate;
    for (let length = 0; length < der.length; length++) expect(refusedOr(() => parseCertificate(der.subarray(0, length)))).toBeUndefined();
    expect(refusedOr(() => parseCertificate(Buffer.concat([der, Buffer.of(0)])))).toBeUndefined();
  });

  test('an authority with any one bit changed is no longer a way to the root', () => {
    const { der } = ca.certificate;
    for (let at = 0; at < der.length; at++) {
      const path = refusedOr(() =>
        verifyCertificateChain({
          leaf: signing.certificate, intermediates: [parseCertificate(flip(der, at, at % 8))], roots: [root.certificate], time: NOW, purpose: 'signing',
        }));
      expect(path, `byte ${at}`).toBeUndefined();
    }
  });

  test('outside of a constrained host never verifies, whatever the URI', () => {
    const uris = fc.oneof(fc.webUrl(), fc.string().map((text) => `spiffe://${text}/a`), fc.domain().map((host) => `spiffe://${host}/a`));
    fc.assert(
      fc.property(uris, (uri) => {
        const end = refusedOr(() => leaf({ by: ca, ekus: [EKU.codeSigning], uris: [uri] }));
        if (end && !uri.startsWith('spiffe://example.org/')) expect(refusedOr(() => verify(end.certificate.der))).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });
});

describe('hostile bytes', () => {
  test.each([
    ['parseCertificate', parseCertificate], ['parseCsr', parseCsr], ['parseTimestampRequest', parseTimestampRequest], ['parseTimestampResponse', parseTimestampResponse],
    ['parseSctList', parseSctList],
  ] as const)('%s answers or refuses, never crashes', (_, parse) => {
    const seeds = [signing.certificate.der, encodeSctList(encodeSct({ logId: new Uint8Array(32), timestamp: 1, extensions: new Uint8Array(), signature: new Uint8Array(3) }))];
    const mutated = fc.tuple(fc.constantFrom(...seeds), fc.nat(), fc.nat(255), fc.nat(40)).map(([seed, at, value, cut]) => {
      const copy = Uint8Array.from(seed);
      copy[at % copy.length] = value;
      return Buffer.concat([copy.subarray(0, at % copy.length), copy.subarray((at % copy.length) + cut)]);
    });
    fc.assert(fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => void refusedOr(() => parse(bytes))), { numRuns: 1_000 });
  });

  test('an SCT list that parses is written back as the same bytes', () => {
    const good = encodeSctList(encodeSct({ logId: new Uint8Array(32).fill(3), timestamp: NOW, extensions: Uint8Array.of(1, 2), signature: Uint8Array.of(9, 9, 9) }));
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bytes = Uint8Array.from(good);
        bytes[at] = value;
        const scts = refusedOr(() => parseSctList(bytes));
        if (scts) expect(Buffer.compare(encodeSctList(...scts.map(encodeSct)), bytes)).toBe(0);
      }),
    );
  });
});
