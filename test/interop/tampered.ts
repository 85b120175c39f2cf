/** a bundle as JSON; only tests look into it like this */
export interface Json {
  [name: string | number]: Json;
}

/** The bundle with something else at a path: base64 with one bit of one byte changed, or what `change` makes. */
function tampered(bundle: Json, path: readonly (string | number)[], change: (value: string) => unknown = flip(-8)): Json {
  const copy = structuredClone(bundle);
  const last = path.at(-1)!;
  const holder = path.slice(0, -1).reduce((value, name) => value[name]!, copy) as Record<string | number, unknown>;
  holder[last] = change(holder[last] as string);
  return copy;
}

/** Changes one bit of the byte at `at`, counted from the end when negative. */
function flip(at: number): (base64: string) => string {
  return (base64) => {
    const bytes = Buffer.from(base64, 'base64');
    const index = at < 0 ? bytes.length + at : at;
    bytes[index]! ^= 1;
    return bytes.toString('base64');
  };
}

const ENTRY = ['verificationMaterial', 'tlogEntries', 0];
const checkpointLine = (line: number) => (envelope: string) =>
  envelope.split('\n').map((text, i) => (i === line ? text.replace(/(.)(.{8})$/, (_, one: string, rest: string) => (one === 'A' ? 'B' : 'A') + rest) : text)).join('\n');

/** The bundle of an artifact in forms that no verifier may accept; the certificate's changed byte is in its signed part, the token's in its signature. */
export function tamperings(message: Json): readonly (readonly [name: string, bundle: Json])[] {
  return [
    ['signature', tampered(message, ['messageSignature', 'signature'])],
    ['digest of the artifact', tampered(message, ['messageSignature', 'messageDigest', 'digest'])],
    ['signed part of the certificate', tampered(message, ['verificationMaterial', 'certificate', 'rawBytes'], flip(200))],
    ['outer log index', tampered(message, [...ENTRY, 'logIndex'], (index) => `${Number(index) + 1}`)],
    ['hash of the inclusion proof', tampered(message, [...ENTRY, 'inclusionProof', 'hashes', 0])],
    ['root of the checkpoint', tampered(message, [...ENTRY, 'inclusionProof', 'checkpoint', 'envelope'], checkpointLine(2))],
    ["log's signature", tampered(message, [...ENTRY, 'inclusionProof', 'checkpoint', 'envelope'], checkpointLine(4))],
    ['timestamp token', tampered(message, ['verificationMaterial', 'timestampVerificationData', 'rfc3161Timestamps', 0, 'signedTimestamp'])],
    ['no timestamp', tampered(message, ['verificationMaterial', 'timestampVerificationData', 'rfc3161Timestamps'], () => [])],
    ['no log entry', tampered(message, ['verificationMaterial', 'tlogEntries'], () => [])],
  ];
}
