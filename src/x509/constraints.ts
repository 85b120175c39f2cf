import { StepsealError } from '../base/errors.ts';
import type { Certificate } from './certificate.ts';
import type { Subtree } from './nameConstraints.ts';
import { GENERAL_NAME, isEmptyName } from './names.ts';

const LABELS = '[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*';
const CONSTRAINT = new RegExp(`^\\.?${LABELS}$`);
const HOST = new RegExp(`^${LABELS}$`);
const IPV4 = /^\d+(?:\.\d+){3}$/;
// scheme, `//`, optional user information, host, optional port (RFC 3986 section 3.2)
const AUTHORITY = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^/?#@[\]\\]*@)?([^/?#@:[\]\\]*)(?::\d*)?(?:[/?#]|$)/;

/**
 * Whether every name of `below` is permitted by the constraints of `issuer`, a CA above it (RFC 5280 section 4.2.1.10). URI
 * constraints are compared with the host: `example.org` with that host alone, `.example.org` with hosts below it. Constraints on
 * other kinds of names are not processed: a certificate with a name of that kind is refused. Throws NAME_CONSTRAINT.
 */
export function assertNamesPermitted(issuer: Certificate, below: Certificate): void {
  const constraints = issuer.nameConstraints;
  if (!constraints) return;
  const all = [...constraints.permitted, ...constraints.excluded];
  for (const { type } of all) {
    if (type !== GENERAL_NAME.uri && carries(below, type)) throw refused('a constraint on a kind of name that is not processed', 'URI constraints', `tag 0x${type.toString(16)}`);
  }
  const permitted = constraints.permitted.filter((subtree) => subtree.type === GENERAL_NAME.uri).map(constraintHost);
  const excluded = constraints.excluded.filter((subtree) => subtree.type === GENERAL_NAME.uri).map(constraintHost);
  if (permitted.length === 0 && excluded.length === 0) return;
  for (const uri of below.subjectAltName?.uris ?? []) {
    const host = hostOf(uri);
    if (excluded.some((constraint) => within(host, constraint))) throw refused('a URI inside an excluded subtree', `not ${excluded.join(', ')}`, uri);
    if (permitted.length > 0 && !permitted.some((constraint) => within(host, constraint))) {
      throw refused('a URI outside the permitted subtrees', permitted.join(', '), uri);
    }
  }
}

function carries(certificate: Certificate, type: number): boolean {
  const names = certificate.subjectAltName;
  switch (type) {
    case GENERAL_NAME.directory:
      return !isEmptyName(certificate.subject) || (names?.directories.length ?? 0) > 0;
    case GENERAL_NAME.email:
      // the subject may hold an emailAddress, which counts too
      return !isEmptyName(certificate.subject) || (names?.emails.length ?? 0) > 0;
    case GENERAL_NAME.dns:
      return (names?.dns.length ?? 0) > 0;
    case GENERAL_NAME.ip:
      return (names?.ips.length ?? 0) > 0;
    case GENERAL_NAME.otherName:
      return (names?.others.length ?? 0) > 0;
    default:
      return (names?.undecoded ?? 0) > 0;
  }
}

function constraintHost(subtree: Subtree): string {
  if (!CONSTRAINT.test(subtree.host) || IPV4.test(subtree.host)) throw refused('a URI constraint that is not a domain name', 'name or .name', subtree.host);
  return subtree.host.toLowerCase();
}

// a URI without a host, or with an address as host, cannot be constrained and is refused
function hostOf(uri: string): string {
  const host = AUTHORITY.exec(uri)?.[1] ?? '';
  if (!HOST.test(host) || IPV4.test(host)) throw refused('a URI whose host cannot be compared with a constraint', 'a domain name as host', uri);
  return host.toLowerCase();
}

function within(host: string, constraint: string): boolean {
  return constraint.startsWith('.') ? host.length > constraint.length && host.endsWith(constraint) : host === constraint;
}

function refused(what: string, expected: string, found: string): StepsealError {
  return new StepsealError('NAME_CONSTRAINT', what, { expected, found });
}
