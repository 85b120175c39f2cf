import { fields, onlyChild, parseDer, bytesOf } from '../der/read.ts';
import { contextConstructed } from '../der/tags.ts';
import { explicit, sequence } from '../der/write.ts';
import { rawExtensions } from './extensionsRead.ts';
import { EXTENSION } from './oids.ts';

/** The TBSCertificate that a CT log signs: without SCT list and without poison (RFC 6962 section 3.2). DER in, DER out. Throws DER_INVALID. */
export function precertTbs(tbs: Uint8Array): Uint8Array {
  const reader = fields(parseDer(tbs), 'tbsCertificate');
  const parts: Uint8Array[] = [];
  while (reader.more()) {
    const part = reader.any('tbsCertificate');
    if (part.tag !== contextConstructed(3)) {
      parts.push(bytesOf(part));
      continue;
    }
    const kept = rawExtensions(onlyChild(part, 'extensions')).filter(({ oid }) => oid !== EXTENSION.sctList && oid !== EXTENSION.poison);
    if (kept.length > 0) parts.push(explicit(3, sequence(...kept.map(({ bytes }) => bytes))));
  }
  return sequence(...parts);
}
