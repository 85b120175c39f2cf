import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toBase64 } from '../../../src/base/base64.ts';
import { toHex } from '../../../src/base/hex.ts';
import { formatCheckpoint, type LogKey, openCheckpoint, parseCheckpoint, parseSize } from '../../../src/merkle/checkpoint.ts';
import { EMPTY_ROOT } from '../../../src/merkle/hash.ts';
import { ctKeyId, ctLogId, logKeyId } from '../../../src/merkle/keyId.ts';
import { encodeNote, parseNote, signNote } from '../../../src/merkle/note.ts';

const ORIGIN = 'log.example.org';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const spki = publicKey.export({ format: 'der', type: 'spki' });
const key: LogKey = { origin: ORIGIN, keyId: logKeyId(ORIGIN, spki), verify: (data, signature) => verify(null, data, publicKey, signature) };

function signed(body: string): Promise<string> {
  return signNote(body, { name: ORIGIN, keyId: key.keyId, sign: (data) => sign(null, data, privateKey) });
}

function refusal(code: string): unknown {
  return expect.objectContaining({ code });
}

describe('a signed note', () => {
  it('is read into text and signatures, and written back', () => {
    const text =
      'This is an example message.\n\n— example.com/foo bAsDI3A7kA6zDzTzJqRxlHWFXFIf5Xq2vVJTcp1BW0ryc0VWTvK2rLZmN8XgJvB6LkXyM3aV0KqhGq2nGq8DEnVyYQE=\n';
    const note = parseNote(text);
    expect(note.body).toBe('This is an example message.\n');
    expect(note.signatures).toMatchObject([{ name: 'example.com/foo' }]);
    expect(note.signatures[0]!.keyHint.length).toBe(4);
    expect(encodeNote(note)).toBe(text);
  });

  it('may contain empty lines and several signatures', () => {
    const line = `— a.example ${toBase64(new Uint8Array(68))}\n`;
    const note = parseNote(`one\n\ntwo\n\n${line}${line.replace('a.', 'b.')}`);
    expect(note.body).toBe('one\n\ntwo\n');
    expect(note.signatures.map(({ name }) => name)).toEqual(['a.example', 'b.example']);
  });

  const line = `— ${ORIGIN} ${toBase64(new Uint8Array(68))}`;
  it.each([
    ['no signature', 'text\n\n'],
    ['no empty line', `text\n${line}\n`],
    ['no final newline', `text\n\n${line}`],
    ['a hyphen for the dash', `text\n\n${line.replace('—', '-')}\n`],
    ['two spaces', `text\n\n${line.replace(' ', '  ')}\n`],
    ['an empty name', `text\n\n— ${line.slice(2 + ORIGIN.length)}\n`],
    ['a plus in the name', `text\n\n${line.replace('log.', 'log+')}\n`],
    ['Base64 without padding', `text\n\n— ${ORIGIN} ${toBase64(new Uint8Array(68)).replace('=', '')}\n`],
    ['a signature of nothing', `text\n\n— ${ORIGIN} AAAAAA==\n`],
    ['a carriage return', `text\r\n\n${line}\n`],
    ['a tab', `te\txt\n\n${line}\n`],
    ['a lone surrogate', `te\ud800xt\n\n${line}\n`],
    ['too many signatures', `text\n\n${`${line}\n`.repeat(65)}`],
    ['more than a mebibyte', `${'x'.repeat(1024 * 1024)}\n\n${line}\n`],
  ])('is refused with %s', (_, text) => {
    expect(() => parseNote(text)).toThrow(refusal('CHECKPOINT_INVALID'));
  });
});

describe('a checkpoint', () => {
  it('is written as tlog-checkpoint says', async () => {
    const text = await signed(formatCheckpoint({ origin: ORIGIN, size: 0, root: EMPTY_ROOT }));
    expect(text.startsWith(`${ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— ${ORIGIN} `)).toBe(true);
    const checkpoint = openCheckpoint(text, key);
    expect(checkpoint).toMatchObject({ origin: ORIGIN, size: 0, extensions: [] });
    expect(toHex(checkpoint.root)).toBe(toHex(EMPTY_ROOT));
  });

  it('keeps extension lines and ignores signatures of others', async () => {
    const body = `${formatCheckpoint({ origin: ORIGIN, size: 7, root: EMPTY_ROOT })}extra\n`;
    const text = `${await signed(body)}— witness.example ${toBase64(new Uint8Array(76))}\n`;
    expect(openCheckpoint(text, key)).toMatchObject({ size: 7, extensions: ['extra'] });
  });

  const root = toBase64(EMPTY_ROOT);
  it.each([
    ['two lines', `${ORIGIN}\n7\n`, 'CHECKPOINT_INVALID'],
    ['an origin with a space', `${ORIGIN} - 123\n7\n${root}\n`, 'CHECKPOINT_INVALID'],
    ['a short root', `${ORIGIN}\n7\n${toBase64(new Uint8Array(31))}\n`, 'CHECKPOINT_INVALID'],
    ['a root that is not Base64', `${ORIGIN}\n7\n!${root}\n`, 'CHECKPOINT_INVALID'],
    ['an empty extension', `${ORIGIN}\n7\n${root}\n\n`, 'CHECKPOINT_INVALID'],
    ...['0x10', ' 5', '5 ', '+5', '-5', '05', '5.0', '1e3', '', '9007199254740992', '99999999999999999999'].map((size) => [
      `the size "${size}"`,
      `${ORIGIN}\n${size}\n${root}\n`,
      'TLOG_PARSE',
    ]),
  ])('is refused with %s', async (_, body, code) => {
    const text = await signed(body);
    expect(() => parseCheckpoint(text)).toThrow(refusal(code));
    expect(() => openCheckpoint(text, key)).toThrow(refusal(code));
  });

  it('is refused when it is of another log, signed by another key, or changed', async () => {
    const body = formatCheckpoint({ origin: ORIGIN, size: 7, root: EMPTY_ROOT });
    const text = await signed(body);
    expect(() => openCheckpoint(text, { ...key, origin: 'log2.example.org' })).toThrow(refusal('CHECKPOINT_ORIGIN'));
    expect(() => openCheckpoint(text, { ...key, keyId: new Uint8Array(32) })).toThrow(refusal('CHECKPOINT_SIGNATURE'));
    expect(() => openCheckpoint(text.replace('\n7\n', '\n8\n'), key)).toThrow(refusal('CHECKPOINT_SIGNATURE'));
    const forged = text + encodeNote({ body: 'x\n', signatures: [{ name: ORIGIN, keyHint: key.keyId.subarray(0, 4), signature: new Uint8Array(64) }] }).slice(3);
    expect(() => openCheckpoint(forged, key)).toThrow(refusal('CHECKPOINT_SIGNATURE'));
  });

  it('is not written for an origin that a note cannot carry', () => {
    for (const origin of ['', 'a b', 'a+b', 'a\nb']) expect(() => formatCheckpoint({ origin, size: 0, root: EMPTY_ROOT })).toThrow(refusal('CHECKPOINT_INVALID'));
    expect(() => formatCheckpoint({ origin: ORIGIN, size: -1, root: EMPTY_ROOT })).toThrow(refusal('TLOG_PARSE'));
  });
});

describe('a size in text', () => {
  it('is exact up to the largest safe integer', () => {
    expect(parseSize('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
    expect(parseSize('0')).toBe(0);
  });
});

describe('a key id', () => {
  it('is 32 bytes: of name, type and key for Ed25519', () => {
    const raw = spki.subarray(-32);
    const expected = createHash('sha256').update(`${ORIGIN}\n`).update(Uint8Array.of(1)).update(raw).digest('hex');
    expect(toHex(logKeyId(ORIGIN, spki))).toBe(expected);
  });

  it('is the SHA-256 of the SPKI for ECDSA, and covers the log ID for a CT log', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });
    const digest = createHash('sha256').update(ec).digest();
    expect(toHex(logKeyId(ORIGIN, ec))).toBe(digest.toString('hex'));
    expect(toHex(ctLogId(ec))).toBe(digest.toString('hex'));
    expect(toHex(ctKeyId(ORIGIN, ec))).toBe(createHash('sha256').update(`${ORIGIN}\n`).update(Uint8Array.of(5)).update(digest).digest('hex'));
  });

  it('does not exist for other keys', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'der', type: 'spki' });
    expect(() => logKeyId(ORIGIN, rsa)).toThrow(refusal('LOG_KEY_UNSUPPORTED'));
  });
});
