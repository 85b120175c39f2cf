import { sha256 } from '../base/bytes.ts';
import { toHex } from '../base/hex.ts';
import { type Bundle, parseBundle } from '../envelope/bundle.ts';
import { parseStatement, type Statement } from '../envelope/statement.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';

/** A bundle whose parts have been read, none of them verified. */
export interface OpenedBundle {
  /** file name, for people */
  readonly name: string;
  /** of the bundle's bytes, hex */
  readonly sha256: string;
  readonly bundle: Bundle;
  readonly certificate: Certificate;
  /** URI of the certificate as it stands there; '' where it has not exactly one */
  readonly uri: string;
  /** of a DSSE envelope */
  readonly statement: Statement | undefined;
  /** SHA-256 of the DSSE payload, or of the artifact, hex */
  readonly contentSha256: string;
}

/** Throws what parseBundle, parseCertificate and parseStatement throw. */
export function openBundle(bytes: Uint8Array, name: string): OpenedBundle {
  const bundle = parseBundle(bytes);
  const certificate = parseCertificate(bundle.certificate);
  const uris = certificate.subjectAltName?.uris ?? [];
  const { content } = bundle;
  return {
    name,
    sha256: toHex(sha256(bytes)),
    bundle,
    certificate,
    uri: uris.length === 1 ? uris[0]! : '',
    statement: content.kind === 'dsse' ? parseStatement(content.payload) : undefined,
    contentSha256: toHex(content.kind === 'dsse' ? sha256(content.payload) : content.digest),
  };
}
