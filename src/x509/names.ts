import { bytesOf, children, fields, parseDer, type DerNode } from '../der/read.ts';
import { contextConstructed, contextPrimitive, TAG } from '../der/tags.ts';
import { asIa5, asOctetString, asOid, asUtf8 } from '../der/values.ts';
import { oid, printableString, sequence, set, utf8String } from '../der/write.ts';
import { StepsealError } from '../base/errors.ts';
import { ATTRIBUTE } from './oids.ts';

/** Distinguished name, DER (RFC 5280 section 4.1.2.4), each attribute in an RDN of its own in this order; none gives the empty Name. */
export function distinguishedName(attributes: { country?: string; organization?: string; commonName?: string }): Uint8Array {
  const rdns: Uint8Array[] = [];
  if (attributes.country !== undefined) rdns.push(rdn(ATTRIBUTE.country, printableString(attributes.country)));
  if (attributes.organization !== undefined) rdns.push(rdn(ATTRIBUTE.organization, utf8String(attributes.organization)));
  if (attributes.commonName !== undefined) rdns.push(rdn(ATTRIBUTE.commonName, utf8String(attributes.commonName)));
  return sequence(...rdns);
}

function rdn(type: string, value: Uint8Array): Uint8Array {
  return set(sequence(oid(type), value));
}

/** An empty Name has no RDN. */
export function isEmptyName(name: Uint8Array): boolean {
  return name.length === 2;
}

/** Checks the form of a Name: RDNs of one or more (type, value). Throws DER_INVALID. */
export function assertName(node: DerNode, what: string): void {
  for (const rdnNode of children(node, TAG.sequence, what)) {
    const attributes = children(rdnNode, TAG.set, what);
    if (attributes.length === 0) throw new StepsealError('DER_INVALID', `${what} has an empty RDN`);
    for (const attribute of attributes) attributeOf(attribute, what);
  }
}

function attributeOf(node: DerNode, what: string): { type: string; value: DerNode } {
  const pair = fields(node, what);
  const type = asOid(pair.any('attribute type'), 'attribute type');
  const value = pair.any('attribute value');
  pair.end();
  return { type, value };
}

const SHORT: Readonly<Record<string, string>> = {
  [ATTRIBUTE.commonName]: 'CN',
  [ATTRIBUTE.country]: 'C',
  [ATTRIBUTE.organization]: 'O',
  [ATTRIBUTE.uniqueIdentifier]: 'UID',
};

/** For people only, never to compare with: `C=US, O=SPIRE`; values that are no text are hex. */
export function describeName(name: Uint8Array): string {
  const parts = children(parseDer(name)).flatMap((rdnNode) => children(rdnNode, TAG.set, 'RDN').map((node) => attributeOf(node, 'attribute')));
  return parts.map(({ type, value }) => `${SHORT[type] ?? type}=${valueText(value)}`).join(', ');
}

function valueText(value: DerNode): string {
  if (value.tag === TAG.utf8String) return JSON.stringify(asUtf8(value, 'attribute')).slice(1, -1);
  if (value.tag === TAG.printableString || value.tag === TAG.ia5String) return asIa5(value, 'attribute', value.tag);
  return `#${Buffer.from(bytesOf(value)).toString('hex')}`;
}

/** GeneralNames of a certificate, by type (RFC 5280 section 4.2.1.6). */
export interface GeneralNames {
  readonly uris: readonly string[];
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  readonly ips: readonly Uint8Array[];
  /** Names, DER */
  readonly directories: readonly Uint8Array[];
  readonly others: readonly { readonly oid: string; readonly value: Uint8Array }[];
  /** how many of types that are not decoded: x400Address, ediPartyName, registeredID */
  readonly undecoded: number;
}

export const GENERAL_NAME = {
  otherName: contextConstructed(0),
  email: contextPrimitive(1),
  dns: contextPrimitive(2),
  directory: contextConstructed(4),
  uri: contextPrimitive(6),
  ip: contextPrimitive(7),
} as const;
const UNDECODED = [contextConstructed(3), contextConstructed(5), contextPrimitive(8)];

/** Throws DER_INVALID; text names must be ASCII. */
export function parseGeneralNames(node: DerNode, what: string, tag: number = TAG.sequence): GeneralNames {
  const names = {
    uris: [] as string[],
    dns: [] as string[],
    emails: [] as string[],
    ips: [] as Uint8Array[],
    directories: [] as Uint8Array[],
    others: [] as { oid: string; value: Uint8Array }[],
    undecoded: 0,
  };
  for (const name of children(node, tag, what)) {
    switch (name.tag) {
      case GENERAL_NAME.uri:
        names.uris.push(asIa5(name, 'URI', name.tag));
        break;
      case GENERAL_NAME.dns:
        names.dns.push(asIa5(name, 'dNSName', name.tag));
        break;
      case GENERAL_NAME.email:
        names.emails.push(asIa5(name, 'rfc822Name', name.tag));
        break;
      case GENERAL_NAME.ip:
        names.ips.push(asOctetString(name, 'iPAddress', name.tag));
        break;
      case GENERAL_NAME.directory: {
        const [inner, extra] = children(name, name.tag, 'directoryName');
        if (!inner || extra) throw new StepsealError('DER_INVALID', 'a directoryName is malformed');
        assertName(inner, 'directoryName');
        names.directories.push(bytesOf(inner));
        break;
      }
      case GENERAL_NAME.otherName: {
        const other = fields(name, 'otherName', name.tag);
        const type = asOid(other.any('type-id'), 'type-id');
        names.others.push({ oid: type, value: bytesOf(other.next(contextConstructed(0), 'value')) });
        other.end();
        break;
      }
      default:
        if (!UNDECODED.includes(name.tag)) throw new StepsealError('DER_INVALID', `${what} has an unknown kind of name`);
        names.undecoded++;
    }
  }
  return names;
}
