/** RFC 5280 section 4.2.1. */
export const EXTENSION = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  /** RFC 6962 section 3.3 */
  sctList: '1.3.6.1.4.1.11129.2.4.2',
  /** RFC 6962 section 3.1 */
  poison: '1.3.6.1.4.1.11129.2.4.3',
} as const;

/** RFC 5280 section 4.2.1.12. */
export const EKU = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  any: '2.5.29.37.0',
} as const;

/** Bits of KeyUsage, RFC 5280 section 4.2.1.3. */
export const KEY_USAGE = {
  digitalSignature: 1 << 0,
  keyEncipherment: 1 << 2,
  keyAgreement: 1 << 4,
  keyCertSign: 1 << 5,
  crlSign: 1 << 6,
} as const;

/** Fulcio's arc: extension n is `${FULCIO}.${n}`. */
export const FULCIO = '1.3.6.1.4.1.57264.1';

/** Ours: custody, attempt and evidence digest. UUID arc with a 31-bit number, because Go refuses larger components (docs/design/0010). */
export const EVIDENCE_OID = '2.25.1698058553';

/** Attribute types of a Name, X.520. */
export const ATTRIBUTE = {
  commonName: '2.5.4.3',
  country: '2.5.4.6',
  organization: '2.5.4.10',
  /** SPIRE's subjects carry one */
  uniqueIdentifier: '2.5.4.45',
} as const;
