import { utf8 } from '../base/bytes.ts';
import { canonicalJson, type JsonObject, parseJson } from '../base/json.ts';
import { Reader } from '../base/read.ts';
import { readList } from './fields.ts';
import { readValidity, type Validity, validityJson } from './validity.ts';

/** An endpoint for signing clients. */
export interface Service {
  readonly url: string;
  readonly majorApiVersion: number;
  readonly validFor: Validity;
  readonly operator: string;
}

interface Selection {
  readonly selector: 'ANY' | 'ALL' | 'EXACT';
  /** with EXACT only */
  readonly count?: number;
}

/** dev.sigstore.trustroot.v1.SigningConfig, v0.2. */
export interface SigningConfig {
  readonly caUrls: readonly Service[];
  readonly oidcUrls: readonly Service[];
  readonly rekorTlogUrls: readonly Service[];
  readonly rekorTlogConfig: Selection;
  readonly tsaUrls: readonly Service[];
  readonly tsaConfig: Selection;
}

const MEDIA_TYPE = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';
const MAX_SERVICES = 256;
const SELECTORS = ['ANY', 'ALL', 'EXACT'] as const;

/** signing_config.json (sigstore_trustroot.proto), RFC 8785 JSON, UTF-8. */
export function encodeSigningConfig(config: SigningConfig): Uint8Array {
  return utf8(
    canonicalJson({
      mediaType: MEDIA_TYPE,
      caUrls: config.caUrls.map(serviceJson),
      oidcUrls: config.oidcUrls.map(serviceJson),
      rekorTlogUrls: config.rekorTlogUrls.map(serviceJson),
      rekorTlogConfig: { ...config.rekorTlogConfig },
      tsaUrls: config.tsaUrls.map(serviceJson),
      tsaConfig: { ...config.tsaConfig },
    }),
  );
}

function serviceJson(service: Service): JsonObject {
  return { url: service.url, majorApiVersion: service.majorApiVersion, validFor: validityJson(service.validFor), operator: service.operator };
}

/** Unknown members are refused. Throws SIGNING_CONFIG_INVALID, TIME_INVALID and the codes of parseJson. */
export function parseSigningConfig(bytes: Uint8Array): SigningConfig {
  const reader = new Reader(parseJson(bytes), 'signingConfig', 'SIGNING_CONFIG_INVALID');
  reader.only('mediaType', 'caUrls', 'oidcUrls', 'rekorTlogUrls', 'rekorTlogConfig', 'tsaUrls', 'tsaConfig');
  if (reader.at('mediaType').string() !== MEDIA_TYPE) reader.at('mediaType').fail(MEDIA_TYPE);
  const services = (name: string) => readList(reader.at(name), MAX_SERVICES).map(readService);
  return {
    caUrls: services('caUrls'),
    oidcUrls: services('oidcUrls'),
    rekorTlogUrls: services('rekorTlogUrls'),
    rekorTlogConfig: readSelection(reader.at('rekorTlogConfig')),
    tsaUrls: services('tsaUrls'),
    tsaConfig: readSelection(reader.at('tsaConfig')),
  };
}

function readService(reader: Reader): Service {
  reader.only('url', 'majorApiVersion', 'validFor', 'operator');
  return {
    url: reader.at('url').string('an http or https URL', /^https?:\/\/[^\s]+$/),
    majorApiVersion: positive(reader.at('majorApiVersion')),
    validFor: readValidity(reader.at('validFor')),
    operator: reader.at('operator').optional((member) => member.string()) ?? '',
  };
}

function readSelection(reader: Reader): Selection {
  const name = reader.only('selector', 'count').at('selector').string();
  const selector = SELECTORS.find((known) => known === name) ?? reader.at('selector').fail(SELECTORS.join(', '));
  return selector === 'EXACT' ? { selector, count: positive(reader.at('count')) } : { selector };
}

function positive(reader: Reader): number {
  const value = reader.number();
  return Number.isInteger(value) && value > 0 && value < 2 ** 32 ? value : reader.fail('a positive integer');
}
